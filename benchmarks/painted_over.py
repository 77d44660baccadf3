"""How do trained agents play if something is painted over in what they see?

Either the knife, or the thrower's raised arm, which announces a high knife, or both. A scripted
dodger that reads the RAM is the yardstick.

Example:
    python -m benchmarks.painted_over runs/kung_fu_master --json painted_over.json
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

from benchmarks.figures import COLUMNS, cells, figures
from benchmarks.players import ScriptedDodger
from benchmarks.provenance import provenance
from envs import KUNG_FU_MASTER as GAME
from envs import EnvConfig, LoggedEnv, Projection, SingleEnv
from envs.kung_fu_master import ram as truth
from evaluation.evaluate_agent import evaluate_agent
from evaluation.games import MAX_PARALLEL, PlayedGame
from experiment.command_line import check_output, exit_code
from experiment.errors import UserError
from experiment.files import write_json
from experiment.trained_agent import TrainedAgent, load_agent
from monitoring.console import print_table
from settings import Checked, Within

SEED = 2_000_000
"""Of the first game."""
Screen = NDArray[np.uint8]


@dataclass(frozen=True)
class PaintedOverConfig(Checked):
    """Judge agents in games in which something is painted over."""

    agents: tyro.conf.Positional[tuple[Path, ...]]
    """Runs or checkpoints."""
    json: Path
    """File for the result."""
    games: Annotated[int, Within(1, 10_000)] = 10
    """Whole games of each agent under each paint."""


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


HIDDEN = ((), ("knife",), ("arm",), ("knife", "arm"))
"""What is painted over in turn."""


def main() -> None:
    """Play, write the JSON and print the table."""
    config = tyro.cli(PaintedOverConfig)
    if not config.agents:
        raise UserError("agents must be one or more runs or checkpoints, got none")
    check_output(config.json)
    agents = {str(path): load_agent(path) for path in config.agents}
    found = {
        name: {
            "+".join(hidden) or "nothing": figures(
                evaluate_agent(agent, name, config.games, SEED, _games(agent, hidden, config.games))
            )
            for hidden in HIDDEN
        }
        for name, agent in agents.items()
    }
    found["scripted dodger"] = {"nothing": scripted_figures(config.games)}
    write_json(config.json, {**provenance("painted_over"), "games": config.games, "agents": found})
    print_table(_table(found))


def _games(agent: TrainedAgent, hidden: Sequence[str], count: int) -> list[LoggedEnv]:
    """Games for an agent in which something is painted over."""
    config = agent.config.env
    return [
        LoggedEnv(PaintedEnv(agent.projection, config, hidden))
        for _ in range(min(count, MAX_PARALLEL))
    ]


def scripted_figures(games: int) -> dict[str, float | None]:
    """How a script that reads the RAM dodges: what is possible under sticky actions."""
    game = SingleEnv()
    env = LoggedEnv(game)
    played: list[PlayedGame] = []
    dodger = ScriptedDodger()
    for number in range(games):
        env.reset(seed=SEED + number)
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


def _table(agents: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> Table:
    table = Table("agent", "painted over", *COLUMNS)
    for name, games in agents.items():
        for hidden, found in games.items():
            table.add_row(name, hidden, *cells(found))
    return table


if __name__ == "__main__":
    sys.exit(exit_code(main))
