"""Everything that is one game's own, as far as an agent that plays it needs to know."""

from dataclasses import dataclass

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
    screen: tuple[int, int]
    """Height and width of the native screen, in pixels."""
    rows: tuple[int, int]
    """First row of the play area and the row behind its last."""
    columns: tuple[int, int]
    """First column of the play area and the column behind its last."""
    num_actions: int
    """Size of its minimal action set."""
    random_score: float
    """Mean raw score of random play."""
    human_score: float
    """Mean raw score of a human."""
    score_source: str
    """Where both scores are published."""

    @property
    def play_area(self) -> tuple[slice, slice]:
        """Index of the play area in a screen (H, W, ...)."""
        return slice(*self.rows), slice(*self.columns)

    @property
    def obs_shape(self) -> tuple[int, int, int]:
        """Shape of one observation, (C, H, W)."""
        return STACK, self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def human_normalized(self, score: float) -> float:
        """A raw score on a scale on which random play is 0 and a human 1."""
        return (score - self.random_score) / (self.human_score - self.random_score)


KUNG_FU_MASTER = Game(
    title="Kung-Fu Master",
    rom="kung_fu_master",
    ale_id="ALE/KungFuMaster-v5",
    env_id="knifesight/KungFuMaster-v0",
    screen=(210, 160),
    rows=(96, 160),  # where the fight happens
    columns=(8, 152),
    num_actions=14,
    random_score=258.5,
    human_score=22_736.3,
    score_source='Wang et al. 2016, "Dueling network architectures", table 2, no-op starts',
)
GAME = KUNG_FU_MASTER
"""The game that is played."""
