"""Which part of the credit does the work: damage, the critic's gauges, progress, the horizon.

Every arm is the default but for what it is named after. The scores are the game's own.

Example:
    python -m benchmarks.credit --json benchmarks/results/credit.json
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.arms import arms_result, arms_table, judge
from benchmarks.provenance import provenance
from experiment.command_line import check_output, exit_code
from experiment.config import Steps
from experiment.errors import UserError
from experiment.files import write_json
from monitoring.console import print_table
from settings import Checked, Seed, Within

NO_DAMAGE = ("--credit.damage", "0")
BLIND_CRITIC = ("--model.no-critic-sees-gauges",)
LONG = ("--ppo.gamma", "0.997")
PROGRESS = (
    "--credit.way", "60", "--credit.opponent", "100", "--credit.damage", "40",
    "--ppo.gae-lambda", "0.95", "--ppo.reward-clip", "-1", "2",
)  # fmt: skip
ARMS: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "blind_critic": BLIND_CRITIC,
    "long_horizon": LONG,
    "no_damage": NO_DAMAGE,
    "no_damage_blind_critic": (*NO_DAMAGE, *BLIND_CRITIC),
    "no_damage_long_horizon": (*NO_DAMAGE, *LONG),
    "progress": PROGRESS,
    "progress_no_stage_for_the_actor": (*PROGRESS, "--model.no-actor-sees-stage"),
}
"""Flags of ``train.py`` by the name of the arm."""


@dataclass(frozen=True)
class CreditStudyConfig(Checked):
    """Train and judge every arm; a run that is already there is resumed or reused."""

    json: Path
    """File for the result."""
    seeds: tuple[Seed, ...] = (1, 2, 3)
    """Seeds to train."""
    steps: Steps = 500_000
    """Agent steps of each training."""
    arms: tuple[str, ...] = tuple(ARMS)
    """Which arms."""
    runs: Path = Path("runs/credit")
    """Directory of the runs."""
    parallel: Annotated[int, Within(1, 64)] = 2
    """Trainings at the same time."""

    def __post_init__(self) -> None:
        """Check every field; raises UserError naming the field, what is allowed and the value."""
        super().__post_init__()
        for arm in self.arms:
            if arm not in ARMS:
                raise UserError(f"arms must be of {', '.join(ARMS)}, got {arm}")


def main() -> None:
    """Run the study, write the JSON and print the table."""
    config = tyro.cli(CreditStudyConfig)
    check_output(config.json)
    steps = ("--total-steps", str(config.steps))
    arms = {arm: (*steps, *ARMS[arm]) for arm in config.arms}
    judged = judge(arms, config.seeds, config.runs, config.parallel)
    write_json(
        config.json,
        {**provenance("credit"), "steps": config.steps, **arms_result(judged, ARMS)},
    )
    print_table(arms_table(judged))


if __name__ == "__main__":
    sys.exit(exit_code(main))
