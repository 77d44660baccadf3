"""Where the time of a training goes: runs ``train.py`` with a stopwatch on its parts.

The parts are everything but start-up and checkpoints. "emulator" to "acting" run in several
threads. They share the time for which the main thread collects, in proportion to their time in the
threads. So the time for which threads wait for each other is in their shares.

Example:
    python -m benchmarks.breakdown benchmarks/results/breakdown.json --run-dir runs/breakdown
"""

import runpy
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ale_py.vector_env import AtariVectorEnv

import agent.collector
import agent.ppo
import encoders.fidelity
import monitoring.film
import monitoring.gauges
from benchmarks.provenance import provenance
from encoders import RegionFinder
from envs.vector import PlayArea
from experiment.command_line import ROOT, check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from monitoring.console import ProgressLine, make_console
from monitoring.monitor import Monitor

PARTS: dict[str, list[tuple[Any, str]]] = {
    "collect": [(agent.collector.Collector, "collect")],
    "play": [(agent.collector.Part, "collect")],  # within "collect", in several threads
    "environment": [(PlayArea, "step")],  # within "play"
    "emulator": [(AtariVectorEnv, "step")],  # within "environment"
    "gauges": [(PlayArea, "_read_gauges")],  # within "environment"
    "detector": [(RegionFinder, "__call__")],  # within "play"
    "update": [(agent.ppo.PPO, "update")],
    "advantages": [(agent.ppo, "generalized_advantages")],  # within "update"
    "credit": [(agent.ppo, "credit")],  # within "update"
    "gauge curves": [(monitoring.gauges, "gauge_metrics")],
    "fidelity": [(encoders.fidelity, "artifact_fidelity")],
    "logging": [
        (Monitor, "begin"),
        (Monitor, "scalars"),
        (Monitor, "remember"),
        (ProgressLine, "update"),
    ],
    "pictures": [(Monitor, "reconstructions"), (Monitor, "latents"), (Monitor, "embedding")],
    "film": [
        (monitoring.film, "record_film"),
        (Monitor, "film"),
    ],
}
"""The functions that are timed, by part. They still do what they did."""
MONITORING = ("logging", "pictures", "film")
"""Parts that show a user the training; the live figures of artifacts, "fidelity", are apart."""


class Stopwatch:
    """Adds up the wall time of functions by name: that of the main thread, that of all others."""

    def __init__(self) -> None:
        """Start at zero."""
        self.main: dict[str, float] = defaultdict(float)
        self.others: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def on(self, owner: Any, attribute: str, name: str) -> None:
        """Time every call of ``owner.attribute`` under ``name``."""
        timed: Callable[..., Any] = getattr(owner, attribute)

        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return timed(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - started
                is_main = threading.current_thread() is threading.main_thread()
                with self._lock:
                    (self.main if is_main else self.others)[name] += seconds

        setattr(owner, attribute, call)


def shares(main: dict[str, float], others: dict[str, float]) -> dict[str, float]:
    """The share of each part in the time of all parts; the shares sum to 1.

    Args:
        main: Seconds by name of ``PARTS`` in the main thread, which waits while others collect.
        others: Seconds by name in the threads that collect, summed over them.

    Returns:
        Shares by name.
    """
    seconds = {name: main["collect"] * others[name] / others["play"] for name in others}
    seconds = {
        "emulator": seconds["emulator"],
        "projection": seconds["environment"] - seconds["emulator"] - seconds["gauges"],
        "gauges": seconds["gauges"] + main["credit"] + main["gauge curves"],
        "detector": seconds["detector"],
        "acting": seconds["play"] - seconds["environment"] - seconds["detector"],
        "advantages": main["advantages"],
        "learning": main["update"] - main["advantages"] - main["credit"],
        "fidelity": main["fidelity"],
        "logging": main["logging"],
        "pictures": main["pictures"],
        "film": main["film"],
    }
    total = sum(seconds.values())
    return {name: part / total for name, part in seconds.items()}


def main() -> None:
    """Run ``train.py`` with all arguments but the first, which is the file for the result."""
    if {"-h", "--help"} & set(sys.argv[1:2]):
        make_console().print(
            "usage: python -m benchmarks.breakdown RESULT.json [flags of train.py]"
        )
        return
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise UserError(
            "the first argument must be a file for the result, then the flags of train.py, "
            f"got {' '.join(sys.argv[1:]) or 'none'}"
        )
    check_output(Path(sys.argv[1]))
    result: dict[str, Any] = dict(provenance("breakdown"))
    path, sys.argv = Path(sys.argv[1]), ["train.py", *sys.argv[2:]]
    stopwatch = Stopwatch()
    for name, functions in PARTS.items():
        for owner, attribute in functions:
            stopwatch.on(owner, attribute, name)
    try:
        runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
    result["shares"] = parts = shares(stopwatch.main, stopwatch.others)
    result["monitoring"] = sum(parts[name] for name in MONITORING)
    write_json(path, result)


if __name__ == "__main__":
    sys.exit(exit_code(main))
