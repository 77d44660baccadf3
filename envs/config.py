"""The evaluation protocol: which game, and how it is played."""

from dataclasses import dataclass, replace
from typing import Annotated

from envs.game import Game
from envs.games import UNIT, find_game
from settings import Checked, Within


@dataclass(frozen=True)
class EnvConfig(Checked):
    """The evaluation protocol; the defaults are ALE's v5 (Machado et al. 2018)."""

    game: str = "kung_fu_master"
    """Name of the game's ROM in ale-py."""
    play_area: Annotated[tuple[int, int, int, int] | None, Within(0, 1024)] = None
    """What the agent sees of the native screen: first row, row behind the last, first column,
    column behind the last; height and width are multiples of 8. If left out, it is the game's own
    where that is known. Else a training finds it in random play: all but the rows at the edges that
    change with the score and the lives alone."""
    repeat_action_probability: Annotated[float, Within(0, 1)] = 0.25
    """Sticky actions: chance that the emulator repeats the previous action."""
    frameskip: Annotated[int, Within(1, 60)] = 4
    """Emulator frames in one agent step."""
    max_episode_frames: Annotated[int, Within(1, 2**31 - 1)] = 108_000
    """Emulator frames after which an episode is truncated (30 minutes of play)."""

    def __post_init__(self) -> None:
        """Check every field; raises ValueError naming the field, what is allowed and the value."""
        super().__post_init__()
        if self.max_episode_frames < self.frameskip:
            raise ValueError(
                f"max_episode_frames must be at least frameskip ({self.frameskip}), "
                f"got {self.max_episode_frames}"
            )
        find_game(self.game)
        if self.play_area:
            screen = game_of(self).screen
            top, bottom, left, right = self.play_area
            if (bottom - top) % UNIT or (right - left) % UNIT:
                raise ValueError(
                    f"play_area must have a height and a width that are multiples of {UNIT}, got "
                    f"{bottom - top} x {right - left} on a screen of {screen[0]} x {screen[1]}"
                )


def game_of(config: EnvConfig) -> Game:
    """The game that is played, with the play area that is seen.

    Raises:
        ValueError: If there is no such game, or the play area lies outside of its screen.
    """
    game = find_game(config.game)
    if not config.play_area:
        return game
    top, bottom, left, right = config.play_area
    return replace(game, rows=(top, bottom), columns=(left, right))
