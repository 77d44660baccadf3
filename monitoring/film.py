"""A short film of one game: which pictures to take, and the GIF that TensorBoard plays."""

from collections.abc import Sequence
from functools import partial
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from agent.actor_critic import ActorCritic, act
from agent.threads import Pulse, in_parallel
from monitoring.agent_view import AgentView
from monitoring.pictures import Picture

STRIDE = 2
"""Agent steps from one picture to the next."""
LENGTH = 75
"""Pictures at most; 10 seconds of play at 15 agent steps a second."""
PATIENCE = 300
"""Agent steps after which the film begins although no artifact was seen."""


def record_film(view: AgentView, model: ActorCritic, seed: int) -> list[Picture]:
    """Play a game with the sampled policy; take pictures once an artifact has come into view.

    Args:
        view: The game; it is reset first, with ``seed``.
        model: The policy, on any device.
        seed: Of the game and of the actions; the global random state stays as it is.

    Returns:
        One to ``LENGTH`` pictures, each (H, W, 3) uint8; fewer if the game ends first.

    Raises:
        StalledError: If the game hangs.
    """
    (pictures,) = in_parallel([partial(_record, view, model, seed)])
    return pictures


@torch.no_grad()
def _record(view: AgentView, model: ActorCritic, seed: int, pulse: Pulse) -> list[Picture]:
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    obs, info = view.reset(seed=seed)
    pictures: list[Picture] = []
    begun = over = False
    step = 0
    while not over and len(pictures) < LENGTH and pulse.beat():
        begun = begun or step == PATIENCE or view.has_artifact
        if begun and step % STRIDE == 0:
            pictures.append(view.render())
        (action,) = act(model, [obs], [info], generator)
        obs, _, terminated, truncated, info = view.step(action)
        over = terminated or truncated
        step += 1
    return pictures or [view.render()]


def film_rate(view: AgentView) -> float:
    """Pictures a second at which a film runs as fast as the game."""
    return view.metadata["render_fps"] / STRIDE


def gif(pictures: Sequence[Picture], pictures_per_second: float) -> bytes:
    """Pictures, at least one, (H, W, 3) uint8, as an endless animated GIF.

    GIF counts time in hundredths of a second and players slow down what is faster than 50 pictures
    a second, so a faster film is shown at that speed.
    """
    palette = _palette(np.stack(pictures))
    images = [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in pictures
    ]
    file = BytesIO()
    images[0].save(
        file, "GIF", save_all=True, append_images=images[1:],
        duration=max(20, round(1000 / pictures_per_second)), loop=0,
    )  # fmt: skip
    return file.getvalue()


def _palette(pictures: NDArray[np.uint8]) -> Image.Image:
    """One palette for all pictures (T, H, W, 3), which takes a tenth of the time of one for each.

    It holds the colours that occur, five bits a channel, 256 at most; an Atari has 128. Every
    other row and column will do, because pictures are enlarged.
    """
    keys = (pictures[:, ::2, ::2] >> 3).astype(np.uint16) @ np.array(
        [1 << 10, 1 << 5, 1], np.uint16
    )
    counts = np.bincount(keys.ravel(), minlength=1 << 15)
    found = np.sort(np.argsort(counts)[::-1][: min(256, np.count_nonzero(counts))])
    colours = np.stack([found >> 10, found >> 5 & 31, found & 31], axis=1) * 255 // 31
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.astype(np.uint8).tobytes())
    return palette
