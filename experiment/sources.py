"""What a network has learned to see through, and what no flag says: the game and the detector."""

from typing import Any

from encoders import RegionFinder
from envs import EnvConfig, game_of
from settings import to_json


def training_sources(config: EnvConfig, finder: RegionFinder) -> dict[str, Any]:
    """What a checkpoint keeps, so that nobody plays it through something else."""
    game = game_of(config)
    shown = to_json(game)
    seen = {name: shown[name] for name in ("rom", "rows", "columns")}
    return seen | {"gauges": list(game.gauge_names), "detector": finder.name}
