"""What is it worth to an agent that its encoder keeps the knives?

Twins: actor and critic learn on top of what the autoencoder alone has learned, once with the
weighted loss, which keeps the knives, and once with the uniform one, which loses them. All else is
the same, the credit too. Then the trained agents play games in which something is painted over: the
knife, the thrower's raised arm, which announces a high knife, or both. A scripted dodger that reads
the RAM is the yardstick.

Example:
    python -m benchmarks.does_seeing_pay --json benchmarks/results/does_seeing_pay.json
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.arms import GAMES, arms_result, arms_table, figures, judge
from benchmarks.players import ScriptedDodger
from benchmarks.provenance import provenance
from envs import GAME, EnvConfig, LoggedEnv, Projection, SingleEnv
from envs.kung_fu_master import ram as truth
from evaluation.evaluate_agent import evaluate_agent
from evaluation.games import MAX_PARALLEL, PlayedGame
from evaluation.statistics import difference
from experiment.command_line import check_output, exit_code
from experiment.config import Steps
from experiment.files import write_json
from experiment.trained_agent import TrainedAgent, load_agent
from monitoring.console import print_table
from settings import Checked, Seed, Within

SEPARATE = ("--model.encoder-gradients", "reconstruction")
UNIFORM = ("--weights.artifact", "1", "--weights.empty", "1")
TWINS = {"weighted": SEPARATE, "uniform": (*SEPARATE, *UNIFORM)}
"""Flags of ``train.py`` by the name of the arm."""
PAINT_SEED = 2_000_000
"""Seed of the games in which something is painted over."""
Screen = NDArray[np.uint8]


@dataclass(frozen=True)
class SeeingConfig(Checked):
    """Train the twins, judge them, and judge them again with something painted over."""

    json: Path
    """File for the result."""
    seeds: tuple[Seed, ...] = (1, 2, 3, 4, 5)
    """Seeds to train."""
    steps: Steps = 1_000_000
    """Agent steps of each training."""
    runs: Path = Path("runs/does_seeing_pay")
    """Directory of the runs."""
    parallel: Annotated[int, Within(1, 64)] = 2
    """Trainings at the same time."""
    agents: tuple[Path, ...] = ()
    """Further runs or checkpoints that play painted games, the default agent for instance."""


class PaintedEnv(SingleEnv):
    """A game whose observations lack something. Score, gauges and RAM are as they were."""

    def __init__(self, projection: Projection, config: EnvConfig, hidden: Sequence[str]) -> None:
        """Make a game in which everything that ``hidden`` names is painted over."""
        super().__init__(projection, config)
        self._painters = [PAINTERS[name] for name in hidden]

    def _frame(self, screen: Screen) -> Screen:
        screen = screen.copy()
        for paint in self._painters:
            paint(screen[GAME.play_area], self.ram)
        return super()._frame(screen)


def paint_knife(area: Screen, ram: NDArray[np.uint8]) -> None:
    """Give the pixels of a flying knife the colour of the wall, in place."""
    box = truth.projectile(ram)
    if box and box.kind == truth.Kind.KNIFE:
        own = (area == truth.KNIFE_COLOUR).all(axis=2) & box.mask(*area.shape[:2], grow=1)
        area[own] = truth.SKY_COLOUR


def paint_arm(area: Screen, ram: NDArray[np.uint8]) -> None:
    """Give the raised arm of a thrower the colour of the wall, in place."""
    arm = truth.raised_arm(ram)
    if arm:
        area[arm] = truth.SKY_COLOUR


PAINTERS: Mapping[str, Callable[[Screen, NDArray[np.uint8]], None]] = {
    "knife": paint_knife,
    "arm": paint_arm,
}
"""What can be painted over."""


def main() -> None:
    """Run the study, write the JSON and print the tables."""
    config = tyro.cli(SeeingConfig)
    check_output(config.json)
    agents = {str(path): load_agent(path) for path in config.agents}  # tells before the long work
    arms = {arm: ("--total-steps", str(config.steps), *flags) for arm, flags in TWINS.items()}
    judged = judge(arms, config.seeds, config.runs, config.parallel)
    agents = {
        f"{arm}/{seed}": load_agent(config.runs / arm / f"seed_{seed}")
        for seed in config.seeds
        for arm in arms
    } | agents
    painted = {
        name: {
            "+".join(hidden) or "nothing": figures(
                evaluate_agent(agent, name, GAMES, PAINT_SEED, _games(agent, hidden))
            )
            for hidden in ((), ("knife",), ("arm",), ("knife", "arm"))
        }
        for name, agent in agents.items()
    }
    twins = {
        figure: difference(
            *([one["figures"][figure] for one in judged[arm]] for arm in ("weighted", "uniform"))
        )
        for figure in ("score", "hits_per_1000_steps", "dodged", "dodged_high", "dodged_low")
    }
    scripted = scripted_figures()
    write_json(
        config.json,
        {
            **provenance("does_seeing_pay"),
            "steps": config.steps,
            **arms_result(judged, TWINS),
            "weighted_less_uniform": twins,
            "painted_over": painted,
            "scripted_dodger": scripted,
        },
    )
    print_table(arms_table(judged))
    print_table(_painted_table(painted))
    print_table(_twins_table(twins))


def _games(agent: TrainedAgent, hidden: Sequence[str]) -> list[LoggedEnv]:
    """Games for an agent in which something is painted over."""
    config = agent.config.env
    return [
        LoggedEnv(PaintedEnv(agent.projection, config, hidden))
        for _ in range(min(GAMES, MAX_PARALLEL))
    ]


def scripted_figures() -> dict[str, float | None]:
    """How a script that reads the RAM dodges: what is possible under sticky actions."""
    game = SingleEnv()
    env = LoggedEnv(game)
    played: list[PlayedGame] = []
    dodger = ScriptedDodger()
    for number in range(GAMES):
        env.reset(seed=PAINT_SEED + number)
        score, steps, over, info = 0.0, 0, False, dict[str, Any]()
        while not over:
            _, reward, terminated, truncated, info = env.step(dodger.act(game.ram))
            score, steps, over = score + float(reward), steps + 1, terminated or truncated
        played.append(PlayedGame(score, steps, False, info["facts"]))
    return figures(
        {
            "mean": float(np.mean([game.score for game in played])),
            "lengths": [game.length for game in played],
            "facts": [game.facts for game in played],
            "artifact_recall": None,
        }
    )


def _painted_table(painted: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Table:
    table = Table("agent", "painted over", "score", "knives dodged", "high", "low", "hits")
    for name, games in painted.items():
        for hidden, found in games.items():
            shares = (found[figure] for figure in ("dodged", "dodged_high", "dodged_low"))
            table.add_row(
                name,
                hidden,
                f"{found['score']:,.0f}",
                *("-" if share is None else f"{share:.0%}" for share in shares),
                f"{found['hits_per_1000_steps']:.1f}",
            )
    return table


def _twins_table(twins: Mapping[str, Sequence[float]]) -> Table:
    table = Table("weighted less uniform", "mean over seeds", "95 % interval")
    for figure, (mean, low, high) in twins.items():
        table.add_row(figure, f"{mean:,.3f}", f"{low:,.3f} to {high:,.3f}")
    return table


if __name__ == "__main__":
    sys.exit(exit_code(main))
