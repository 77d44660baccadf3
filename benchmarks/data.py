"""Labelled frames of real episodes, for the detector and reconstruction benchmarks.

There are three ways of playing. Each has training, validation and test episodes, which differ in
their seeds. Choices are made on validation episodes, figures come from test episodes. The ways are:

- ``random``: random actions.
- ``agent``: a trained policy. If no run is given, one is trained for the purpose.
- ``tour``: walks on with random blows. It is given back its health, time and lives, and bosses are
  weakened. So it reaches floors and enemies that the others do not. Only the detector and the
  projection are judged on it.

Example:
    python -m benchmarks.data
"""

import hashlib
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ale_py
import gymnasium as gym
import numpy as np
import tyro
from numpy.typing import NDArray
from rich.table import Table

from benchmarks.players import Player, random_player, tour_player, trained_agent, trained_player
from envs import KUNG_FU_MASTER as GAME
from envs import STACK, Projection
from envs.kung_fu_master import ram as truth
from experiment.command_line import exit_code
from experiment.errors import UserError
from experiment.run_directory import load_checkpoint
from monitoring.console import make_console, print_table
from settings import Checked

Source = Literal["random", "agent", "tour"]
Split = Literal["train", "validation", "test"]
STEPS: dict[Split, dict[Source, int]] = {
    "train": {"random": 40_000, "agent": 40_000, "tour": 16_000},
    "validation": {"random": 5_000, "agent": 5_000, "tour": 8_000},
    "test": {"random": 5_000, "agent": 5_000, "tour": 30_000},
}
"""Agent steps of each recording; every step gives one frame."""
FIRST_SEED: dict[Split, int] = {"train": 0, "test": 1_000_000, "validation": 2_000_000}


@dataclass(frozen=True)
class DataConfig(Checked):
    """Where the recordings are kept; those that are missing are made."""

    data: Path = Path("data")
    """Directory for the recordings."""
    agent: Path | None = None
    """Run or checkpoint whose policy plays. If left out, one is trained in ``data`` when there is
    no recording of it yet."""


class Recording(NamedTuple):
    """Consecutive play areas with the game's RAM; T agent steps."""

    frames: NDArray[np.uint8]
    """(T, 64, 144), indices into ``palette``."""
    palette: NDArray[np.uint8]
    """(256, 3) RGB."""
    ram: NDArray[np.uint8]
    """(T, 128)."""
    starts: NDArray[np.bool_]
    """(T,), whether an episode starts here."""
    player: str
    """Who played: the source, or the digest of the agent's checkpoint."""

    def project(self, projection: Projection) -> NDArray[np.uint8]:
        """The frames as an agent sees them, (T, 64, 144) uint8 grey levels."""
        levels = projection(self.palette[None, :, None])[0, :, 0]
        return levels[self.frames]

    def own_pixels(self, t: int, box: truth.Box) -> NDArray[np.bool_]:
        """The visible pixels of the projectile in ``box`` at step t, (64, 144) bool.

        Knives and boomerangs have a colour of their own. Fire flickers through many colours, so
        everything in its box that is not background belongs to it.
        """
        inside = box.mask(*self.frames.shape[1:])
        colours = self.palette[self.frames[t]]
        if box.kind in (truth.Kind.KNIFE, truth.Kind.BOOMERANG):
            return inside & (colours == truth.KNIFE_COLOUR).all(axis=-1)
        return inside & (colours != truth.SKY_COLOUR).all(axis=-1)

    def stacks(self) -> NDArray[np.int64]:
        """Rows of the four frames of every observation, (T, 4); an episode's first repeats."""
        rows = np.arange(len(self.frames))
        first = np.maximum.accumulate(np.where(self.starts, rows, 0))
        return np.maximum(rows[:, None] + np.arange(1 - STACK, 1), first[:, None])


def load(config: DataConfig, split: Split, sources: tuple[Source, ...]) -> Recording:
    """The recordings of several sources one after the other; those that are missing are made."""
    parts: list[Recording] = []
    for source in sources:
        path = config.data / f"{source}-{split}.npz"
        if not path.exists():
            make(config, source, split, path)
        with np.load(path) as arrays:
            if missing := set(Recording._fields) - set(arrays.files):
                raise UserError(
                    f"data {path} lacks {', '.join(sorted(missing))}: made by another version; "
                    "delete it or choose another directory"
                )
            part = Recording(*(arrays[name] for name in Recording._fields))
        parts.append(part._replace(player=str(part.player)))
        check(config, source, split, path, parts[-1])
    return Recording(
        np.concatenate([part.frames for part in parts]),
        np.maximum.reduce([part.palette for part in parts]),  # unseen entries are black
        np.concatenate([part.ram for part in parts]),
        np.concatenate([part.starts for part in parts]),
        " ".join(part.player for part in parts),
    )


def check(
    config: DataConfig, source: Source, split: Split, path: Path, recording: Recording
) -> None:
    """Make sure that a stored recording is what would be recorded now.

    Raises:
        UserError: If it has another length, or another agent played it.
    """
    steps = STEPS[split][source]
    if len(recording.frames) != steps:
        raise UserError(
            f"data {path} holds {len(recording.frames):,} steps, this version records {steps:,}; "
            "delete it or choose another directory"
        )
    if source == "agent" and config.agent and recording.player != digest(config.agent):
        raise UserError(
            f"agent {config.agent} is not the one that played {path}; "
            "delete it or choose another directory for data"
        )


def digest(run: Path) -> str:
    """Fingerprint of a checkpoint, or of the latest one of a run."""
    return hashlib.sha256(load_checkpoint(run).path.read_bytes()).hexdigest()[:16]


def make(config: DataConfig, source: Source, split: Split, path: Path) -> None:
    """Record one source of one split; its file is written whole or not at all."""
    make_console().print(f"recording {path} ...")
    seed = FIRST_SEED[split] + 1_000 * list(STEPS[split]).index(source)
    rng = np.random.default_rng(seed)
    name = source
    if source == "agent":
        run = config.agent or trained_agent(config.data / "agent")
        name, play = digest(run), trained_player(run, seed)
    else:
        play = {"random": random_player, "tour": tour_player}[source](rng)
    recording = record(play, STEPS[split][source], seed)._replace(player=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **recording._asdict())
    temporary.replace(path)


def record(play: Player, steps: int, first_seed: int) -> Recording:
    """Play ``steps`` agent steps under the default protocol; episode n has seed first_seed + n."""
    gym.register_envs(ale_py)
    env: Any = gym.make(GAME.ale_id)
    emulator = env.unwrapped.ale
    frames: list[NDArray[np.uint8]] = []
    ram: list[NDArray[np.uint8]] = []
    starts: list[bool] = []
    palette = np.zeros((256, 3), np.uint8)
    screen, over, episodes = None, True, 0
    for _ in range(steps):
        if over:
            screen, _ = env.reset(seed=first_seed + episodes)
            episodes += 1
        assert screen is not None
        frames.append(emulator.getScreen()[GAME.play_area].copy())
        ram.append(emulator.getRAM().copy())
        starts.append(over)
        palette[frames[-1]] = screen[GAME.play_area]
        screen, _, terminated, truncated, _ = env.step(play(emulator, screen, over))
        over = terminated or truncated
    env.close()
    return Recording(np.stack(frames), palette, np.stack(ram), np.array(starts), "")


def inventory(recording: Recording) -> dict[str, Any]:
    """What a recording holds: frames, episodes, floors, enemies and visible projectiles."""
    floors = Counter(str(floor) for floor in recording.ram[:, truth.FLOOR])
    enemies = Counter(
        truth.ENEMIES.get(int(kind), truth.UNKNOWN_ENEMY) for kind in recording.ram[:, truth.ENEMY]
    )
    projectiles = Counter(str(box.kind) for _, box, _ in visible_projectiles(recording))
    return {
        "frames": len(recording.frames),
        "episodes": int(recording.starts.sum()),
        "floors": dict(sorted(floors.items())),
        "enemies": dict(enemies.most_common()),
        "projectiles": dict(projectiles.most_common()),
    }


def visible_projectiles(
    recording: Recording,
) -> list[tuple[int, truth.Box, NDArray[np.bool_]]]:
    """Step, box and own pixels (64, 144) of every projectile of which a pixel can be seen."""
    found: list[tuple[int, truth.Box, NDArray[np.bool_]]] = []
    for t in np.flatnonzero(recording.ram[:, truth.PROJECTILE_Y] != truth.NO_PROJECTILE):
        box = truth.projectile(recording.ram[t])
        assert box
        own = recording.own_pixels(int(t), box)
        if own.any():
            found.append((int(t), box, own))
    return found


def main() -> None:
    """Make the recordings that are missing, and print what all of them hold."""
    config = tyro.cli(DataConfig, description=__doc__)
    for split, parts in STEPS.items():
        table = Table("", *parts, title=f"{split} episodes")
        columns = [inventory(load(config, split, (source,))) for source in parts]
        for key in columns[0]:
            cells = [column[key] for column in columns]
            table.add_row(key, *("\n".join(_lines(cell)) for cell in cells))
        print_table(table)


def _lines(cell: int | dict[str, int]) -> list[str]:
    if isinstance(cell, int):
        return [f"{cell:,}"]
    return [f"{name}: {count:,}" for name, count in cell.items()]


if __name__ == "__main__":
    sys.exit(exit_code(main))
