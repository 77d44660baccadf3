"""What made a result: command, commit, machine."""

import platform
import subprocess
import sys

from experiment.command_line import ROOT


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
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()
