"""Score against time: we, Stable-Baselines3's A2C and its PPO train as long on the same machine.

Ours has help beyond the score, theirs has none. So ours trains without that help, too, and their
PPO with our damage term.

They train one after the other, each with its defaults. With several seeds they take turns. Time
counts from the start of the process, so that start-up counts. The score at a minute is the mean raw
score of the last 50 games that had ended by then.

The step sizes of Stable-Baselines3 never fall. Ours falls over ``total_steps``, which should take
about as long as the others train: if we have done them before the time is over, our score stands
still. Our runs are kept, so that ``evaluate.py`` can judge them.

Example:
    python -m benchmarks.time_to_score --minutes 10 --total-steps 1500000 \
        --json benchmarks/results/time_to_score.json
"""

import hashlib
import json
import math
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from matplotlib import pyplot
from rich.table import Table

from benchmarks.arms import note_commit
from benchmarks.processes import Point, train_ours, train_sb3
from benchmarks.provenance import machine, output, provenance
from experiment.command_line import check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from monitoring.console import make_console, print_table
from settings import Checked, Seed, Within

Contender = Literal["knifesight", "knifesight_score_alone", "sb3_a2c", "sb3_ppo", "sb3_ppo_damage"]
NAMES: dict[Contender, str] = {
    "knifesight": "Knifesight",
    "knifesight_score_alone": "Knifesight, told the score alone",
    "sb3_a2c": "Stable-Baselines3 A2C",
    "sb3_ppo": "Stable-Baselines3 PPO",
    "sb3_ppo_damage": "Stable-Baselines3 PPO with our damage term",
}
FLAGS: dict[Contender, tuple[str, ...]] = {
    "knifesight": (),
    "knifesight_score_alone": (
        "--credit.damage", "0", "--credit.opponent", "0", "--credit.way", "0",
    ),
}  # fmt: skip
"""Flags of ``train.py`` of our contenders."""
OURS = (
    "agent", "encoders", "envs", "evaluation", "experiment", "monitoring", "settings", "train.py",
)  # fmt: skip
"""Sources of our training."""
THEIRS: dict[Contender, tuple[str, ...]] = {
    "sb3_a2c": ("benchmarks/sb3.py",),
    "sb3_ppo": ("benchmarks/sb3.py",),
    "sb3_ppo_damage": ("benchmarks/sb3.py", "benchmarks/sb3_damage.py", "envs", "agent/credit.py"),
}
"""Sources of the trainings of Stable-Baselines3."""


@dataclass(frozen=True)
class TimeToScoreConfig(Checked):
    """Train every contender for the same time and compare their scores."""

    json: Path
    """File for the result; the plot goes beside it, ending in .png. What it already holds is not
    trained again, so that a study can be made in several sittings."""
    minutes: Annotated[int, Within(1, 10**4)] = 10
    """Wall time of each training."""
    total_steps: Annotated[int, Within(1, 10**12)] = 500_000
    """Agent steps of our trainings; choose what this machine does in that time."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds of each contender."""
    runs: Path = Path("runs/time_to_score")
    """Directory of our runs: one directory for each contender, in it one for each seed."""


def main() -> None:
    """Train what has not been trained, write JSON and plot, print the table."""
    config = tyro.cli(TimeToScoreConfig)
    runs = kept(config) if config.json.exists() else []
    check_output(config.json)
    for seed in config.seeds:
        for contender in NAMES:
            if not any((entry["name"], entry["seed"]) == (contender, seed) for entry in runs):
                runs.append(train(contender, seed, config))
                write(runs, config)
    show(write(runs, config))


def kept(config: TimeToScoreConfig) -> list[dict[str, Any]]:
    """The runs that the file holds.

    Raises:
        UserError: If they cannot be part of this study: they have another length, or come from
            another machine or other code.
    """
    try:
        runs: list[dict[str, Any]] = json.loads(config.json.read_text())["runs"]
        for entry in runs:
            ours = entry["name"] in FLAGS
            steps = config.total_steps if ours else entry["total_steps"]
            wanted = (config.minutes, steps, machine(), code(entry["name"]))
            found = (len(entry["score"]), *(entry[n] for n in ("total_steps", "machine", "code")))
            if found != wanted:
                raise UserError(
                    f"json {config.json} holds a run of {entry['name']} with another length, "
                    "machine or code; choose another file"
                )
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise UserError(f"json {config.json} holds something else; choose another file") from error
    return runs


def code(contender: Contender) -> str:
    """Digest of the committed sources that a contender's training depends on."""
    paths = OURS if contender in FLAGS else THEIRS[contender]
    digests = output("git", "rev-parse", *(f"HEAD:{path}" for path in paths))
    return hashlib.sha256(digests.encode()).hexdigest()[:12]


def train(contender: Contender, seed: int, config: TimeToScoreConfig) -> dict[str, Any]:
    """Train one contender; returns its score and steps at the end of every minute.

    Stable-Baselines3 has no ``total_steps``: it trains until the time is over.
    """
    made_by, seconds = provenance("time_to_score"), 60 * config.minutes
    if contender in FLAGS:
        run_dir = config.runs / contender / f"seed_{seed}"
        note_commit(run_dir)
        flags = ["--seed", str(seed), "--total-steps", str(config.total_steps)]
        training = train_ours(run_dir, [*flags, *FLAGS[contender]], seconds)
    else:
        algorithm = "a2c" if contender == "sb3_a2c" else "ppo"
        module = "benchmarks.sb3_damage" if contender == "sb3_ppo_damage" else "benchmarks.sb3"
        with tempfile.TemporaryDirectory() as directory:
            points = Path(directory) / "points.json"
            training = train_sb3(algorithm, seed, points, seconds, module)
    ends = [60 * (minute + 1) for minute in range(config.minutes)]
    last = [last_before(end, training.points) for end in ends]
    return {
        **made_by,
        "name": contender,
        "code": code(contender),
        "seed": seed,
        "total_steps": config.total_steps if contender in FLAGS else None,
        "score": [point.score for point in last],
        "steps": [point.steps for point in last],
    }


def last_before(seconds: float, points: list[Point]) -> Point:
    """The last point at or before ``seconds``; without one, a point at zero."""
    past = [point for point in points if point.seconds <= seconds]
    return past[-1] if past else Point(0.0, 0, None)


def write(runs: list[dict[str, Any]], config: TimeToScoreConfig) -> dict[str, Any]:
    """Write JSON and plot; returns what the JSON holds."""
    final: dict[str, float] = {}
    for name in NAMES:
        scores = [entry["score"][-1] for entry in runs if entry["name"] == name]
        if scores and None not in scores:
            final[name] = statistics.mean(scores)
    result: dict[str, Any] = {"minutes": config.minutes, "final": final, "runs": runs}
    if len(final) == len(NAMES):
        better = max(final["sb3_a2c"], final["sb3_ppo"])
        result["ratio_to_better_sb3"] = final["knifesight"] / better
        result["score_alone_to_better_sb3"] = final["knifesight_score_alone"] / better
        result["ratio_to_sb3_ppo_damage"] = final["knifesight"] / final["sb3_ppo_damage"]
    write_json(config.json, result)
    draw(runs, config.json.with_suffix(".png"))
    return result


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw every run as a thin line and the mean over seeds as a thick one."""
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for index, (name, label) in enumerate(NAMES.items()):
        scores = [
            [math.nan if score is None else score for score in entry["score"]]
            for entry in runs
            if entry["name"] == name
        ]
        if not scores:
            continue
        minutes = range(1, len(scores[0]) + 1)
        for line in scores:
            axes.plot(minutes, line, color=f"C{index}", linewidth=0.7, alpha=0.6)
        mean = [statistics.mean(at) for at in zip(*scores, strict=True)]
        axes.plot(minutes, mean, color=f"C{index}", linewidth=2, label=label)
    axes.set(xlabel="minutes since the start", ylabel="mean raw score of the last 50 games")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def show(result: dict[str, Any]) -> None:
    """Print the final scores."""
    table = Table("contender", "seed", "score", "steps")
    for entry in result["runs"]:
        score = entry["score"][-1]
        shown = "-" if score is None else f"{score:,.0f}"
        table.add_row(NAMES[entry["name"]], str(entry["seed"]), shown, f"{entry['steps'][-1]:,}")
    print_table(table)
    for name in ("ratio_to_better_sb3", "score_alone_to_better_sb3", "ratio_to_sb3_ppo_damage"):
        if name in result:
            make_console().print(f"{name.replace('_', ' ')}: {result[name]:.2f}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
