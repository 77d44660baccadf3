"""What every benchmark's command line does: report mistakes, and say what made a result."""

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from agent.errors import UserError


def run(main: Callable[[], None]) -> NoReturn:
    """Run a benchmark and exit: with 0, or with 2 and one line for a user's mistake."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def check_output(path: Path) -> None:
    """Make the directory of a result before the long work.

    Raises:
        UserError: If ``path`` cannot be written.
    """
    try:
        existed = path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
        if not existed:
            path.unlink()
    except (OSError, ValueError) as error:  # a null byte in it is a ValueError
        raise UserError(f"json must be a file that can be written, got {path}") from error


def provenance(module: str) -> dict[str, str]:
    """``command``, ``commit`` and ``machine`` of the running benchmark ``module``."""
    return {
        "command": " ".join([f"python -m benchmarks.{module}", *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(),
    }


def commit() -> str:
    """The checked-out commit; ends in ``-dirty`` if files differ from it."""
    return output("git", "describe", "--always", "--dirty", "--abbrev=40")


def machine() -> str:
    """Processor and number of cores, in words."""
    names = [line for line in output("lscpu").splitlines() if line.startswith("Model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.processor()
    cores = output("nproc", "--all")
    return f"{processor}, {cores} cores, {platform.system()} {platform.machine()}"


def output(*command: str) -> str:
    """What a command prints, without the last line break."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
