"""The games that are played: one with an entry of its own, and all others that ale-py plays."""

from dataclasses import replace
from difflib import get_close_matches
from functools import cache

from envs.game import Game, playable_roms
from envs.gauges import CLOCK, HEALTH, OPPONENT, STAGE, WAY, Bar, Lamps, Number, Way

NEAREST = 3
"""Names that an error offers in place of one that there is not."""
UNIT = 8
"""Both sides of a play area are multiples of this many pixels: the encoder's cells."""
SCORE_SOURCE = 'Wang et al. 2016, "Dueling network architectures", table 2, no-op starts'
SCORES = {
    "alien": (227.8, 7_127.7), "amidar": (5.8, 1_719.5),
    "assault": (222.4, 742.0), "asterix": (210.0, 8_503.3),
    "asteroids": (719.1, 47_388.7), "atlantis": (12_850.0, 29_028.1),
    "bank_heist": (14.2, 753.1), "battle_zone": (2_360.0, 37_187.5),
    "beam_rider": (363.9, 16_926.5), "berzerk": (123.7, 2_630.4),
    "bowling": (23.1, 160.7), "boxing": (0.1, 12.1),
    "breakout": (1.7, 30.5), "centipede": (2_090.9, 12_017.0),
    "chopper_command": (811.0, 7_387.8), "crazy_climber": (10_780.5, 35_829.4),
    "defender": (2_874.5, 18_688.9), "demon_attack": (152.1, 1_971.0),
    "double_dunk": (-18.6, -16.4), "enduro": (0.0, 860.5),
    "fishing_derby": (-91.7, -38.7), "freeway": (0.0, 29.6),
    "frostbite": (65.2, 4_334.7), "gopher": (257.6, 2_412.5),
    "gravitar": (173.0, 3_351.4), "hero": (1_027.0, 30_826.4),
    "ice_hockey": (-11.2, 0.9), "jamesbond": (29.0, 302.8),
    "kangaroo": (52.0, 3_035.0), "krull": (1_598.0, 2_665.5),
    "kung_fu_master": (258.5, 22_736.3), "montezuma_revenge": (0.0, 4_753.3),
    "ms_pacman": (307.3, 6_951.6), "name_this_game": (2_292.3, 8_049.0),
    "phoenix": (761.4, 7_242.6), "pitfall": (-229.4, 6_463.7),
    "pong": (-20.7, 14.6), "private_eye": (24.9, 69_571.3),
    "qbert": (163.9, 13_455.0), "riverraid": (1_338.5, 17_118.0),
    "road_runner": (11.5, 7_845.0), "robotank": (2.2, 11.9),
    "seaquest": (68.4, 42_054.7), "skiing": (-17_098.1, -4_336.9),
    "solaris": (1_236.3, 12_326.7), "space_invaders": (148.0, 1_668.7),
    "star_gunner": (664.0, 10_250.0), "surround": (-10.0, 6.5),
    "tennis": (-23.8, -8.3), "time_pilot": (3_568.0, 5_229.2),
    "tutankham": (11.4, 167.6), "up_n_down": (533.4, 11_693.2),
    "venture": (0.0, 1_187.5), "video_pinball": (16_256.9, 17_667.9),
    "wizard_of_wor": (563.5, 4_756.5), "yars_revenge": (3_092.9, 54_576.9),
    "zaxxon": (32.5, 9_173.3),
}  # fmt: skip
"""Mean raw scores of random play and of a human, by ROM."""

KUNG_FU_MASTER = Game(
    title="Kung-Fu Master",
    rom="kung_fu_master",
    ale_id="ALE/KungFuMaster-v5",
    env_id="knifesight/KungFuMaster-v0",
    rows=(96, 160),  # where the fight happens
    columns=(8, 152),
    random_score=SCORES["kung_fu_master"][0],
    human_score=SCORES["kung_fu_master"][1],
    score_source=SCORE_SOURCE,
    gauges=(
        Bar(HEALTH, 43, (49, 88), (232, 232, 74), taken_by=CLOCK, counted_by=OPPONENT),
        Bar(OPPONENT, 51, (49, 88), (184, 50, 50)),
        Lamps(STAGE, 34, column=28, pitch=8, count=5, colour=(167, 26, 26)),
        Number("lives", 31, column=99, digits=1, colour=(214, 214, 214), full=9),
        Number(CLOCK, 10, column=31, digits=4, colour=(214, 214, 214), full=2000),
        Way(
            WAY,
            rows=(58, 96),
            columns=(8, 160),
            player_rows=(96, 160),
            player_colour=(214, 214, 214),
            full=1100,
        ),
    ),
)
ENTRIES = {game.rom: game for game in (KUNG_FU_MASTER,)}
"""Games of which more is known than their ROM, by its name."""


def is_known(rom: str) -> bool:
    """Whether a game has an entry, which says what its play area is."""
    return rom in ENTRIES


def env_id(rom: str) -> str:
    """Id under which Gymnasium knows our environment of a ROM."""
    return f"knifesight/{_name(rom)}-v0"


def _name(rom: str) -> str:
    """A ROM's name as ALE writes it in the ids of its own environments."""
    return "".join(_words(rom))


def _words(rom: str) -> list[str]:
    return [word.upper() if word[0].isdigit() else word.capitalize() for word in rom.split("_")]


@cache
def find_game(rom: str) -> Game:
    """The game of a ROM; without an entry its play area is as much of the screen as fits.

    Raises:
        ValueError: If ale-py does not play it; offers the nearest names.
    """
    if rom in ENTRIES:
        return ENTRIES[rom]
    if rom not in playable_roms():
        nearest = get_close_matches(rom, playable_roms(), NEAREST, cutoff=0.0)
        raise ValueError(
            f"game must be one that ale-py plays, got {rom!r}; nearest are {', '.join(nearest)}"
        )
    names = " ".join(_words(rom)), rom, f"ALE/{_name(rom)}-v5", env_id(rom)
    game = Game(*names, (0, UNIT), (0, UNIT))
    rows, columns = ((0, size // UNIT * UNIT) for size in game.screen)
    game = replace(game, rows=rows, columns=columns)
    if rom not in SCORES:
        return game
    random, human = SCORES[rom]
    return replace(game, random_score=random, human_score=human, score_source=SCORE_SOURCE)
