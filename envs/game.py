"""Everything that is one game's own, as far as an agent that plays it needs to know."""

from dataclasses import dataclass
from functools import cache
from typing import cast

from ale_py import ALEInterface, LoggerMode, roms

from envs.gauges import Gauge, gauge_names

STACK = 4
"""Sequential frames in one observation, oldest first."""


@dataclass(frozen=True)
class Game:
    """An Atari game. Rows and columns are those of its native screen."""

    title: str
    """Its name for people."""
    rom: str
    """Name of its ROM in ale-py."""
    ale_id: str
    """Id of ALE's own environment for it."""
    env_id: str
    """Id under which Gymnasium knows ours."""
    rows: tuple[int, int]
    """First row of the play area and the row behind its last."""
    columns: tuple[int, int]
    """First column of the play area and the column behind its last."""
    random_score: float | None = None
    """Mean raw score of random play, if it is published."""
    human_score: float | None = None
    """Mean raw score of a human, if it is published."""
    score_source: str = ""
    """Where both scores are published."""
    gauges: tuple[Gauge, ...] = ()
    """What its screen shows beside the play area."""

    @property
    def screen(self) -> tuple[int, int]:
        """Height and width of the native screen in pixels, as the ROM has them.

        Raises:
            ValueError: If there is no such ROM, or the play area or a gauge lies outside of the
                screen.
        """
        screen = _ask(self.rom)[0]
        for name, (first, last), size in zip(
            ("rows", "columns"), (self.rows, self.columns), screen, strict=True
        ):
            if not 0 <= first < last <= size:
                raise ValueError(
                    f"{name} of {self.title} must lie within the {size} of its screen, "
                    f"got {first} to {last}"
                )
        for gauge in self.gauges:
            top, bottom, left, right = gauge.box
            if not (0 <= top < bottom <= screen[0] and 0 <= left < right <= screen[1]):
                raise ValueError(
                    f"gauge {gauge.name} of {self.title} must lie within its screen of "
                    f"{screen[0]} rows and {screen[1]} columns, got rows {top} to {bottom} and "
                    f"columns {left} to {right}"
                )
        return screen

    @property
    def num_actions(self) -> int:
        """Size of the minimal action set, as the ROM has it.

        Raises:
            ValueError: If there is no such ROM.
        """
        return _ask(self.rom)[1]

    @property
    def gauge_names(self) -> tuple[str, ...]:
        """Names of the values that its gauges show, in order."""
        return gauge_names(self.gauges)

    @property
    def play_area(self) -> tuple[slice, slice]:
        """Index of the play area in a screen (H, W, ...)."""
        return slice(*self.rows), slice(*self.columns)

    @property
    def obs_shape(self) -> tuple[int, int, int]:
        """Shape of one observation, (C, H, W)."""
        return STACK, self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def human_normalized(self, score: float) -> float | None:
        """A raw score on a scale on which random play is 0 and a human 1; None without these."""
        if self.random_score is None or self.human_score is None:
            return None
        return (score - self.random_score) / (self.human_score - self.random_score)


@cache
def playable_roms() -> tuple[str, ...]:
    """Names of the ROMs that ale-py ships and plays alone; some are for two players only."""
    paths = {rom: roms.get_rom_path(rom) for rom in sorted(roms.get_all_rom_ids())}
    return tuple(rom for rom, path in paths.items() if path and ALEInterface.isSupportedROM(path))  # pyright: ignore[reportCallIssue, reportArgumentType]  # its stub does not know paths


@cache
def _ask(rom: str) -> tuple[tuple[int, int], int]:
    """Screen and number of actions of a ROM."""
    if rom not in playable_roms():
        raise ValueError(f"rom must be one that ale-py ships and plays, got {rom}")
    ALEInterface.setLoggerMode(LoggerMode.Error)  # pyright: ignore[reportUnknownArgumentType]
    ale = ALEInterface()
    ale.loadROM(str(roms.get_rom_path(rom)))
    height, width = cast(tuple[int, int], ale.getScreenDims())
    return (height, width), len(ale.getMinimalActionSet())
