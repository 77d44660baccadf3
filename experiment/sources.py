"""What a network has learned to see through, and what no flag says: the game and the detector."""

from typing import Any

from encoders import RegionFinder
from envs import GAME
from settings import to_json


def training_sources(finder: RegionFinder) -> dict[str, Any]:
    """What a checkpoint keeps, so that nobody plays it through something else."""
    game = to_json(GAME)
    shown = {name: game[name] for name in ("rom", "rows", "columns")}
    return shown | {"gauges": list(GAME.gauge_names), "detector": finder.name}
