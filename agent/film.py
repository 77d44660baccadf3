"""A short film of one game, to be watched beside the curves."""

import torch

from agent.actor_critic import ActorCritic, sample
from agent.pictures import Image
from agent.seen import SeenGame

STRIDE = 2
"""Agent steps from one picture to the next; at 15 steps a second 7.5 pictures."""
LENGTH = 75
"""Pictures at most; 10 seconds of play."""
PATIENCE = 300
"""Agent steps after which it begins although no artifact was seen."""


@torch.no_grad()
def film(game: SeenGame, model: ActorCritic, seed: int) -> list[Image]:
    """Play a game with the sampled policy and take pictures once an artifact has come into view.

    Args:
        game: Reset first, with ``seed``.
        model: The policy, on any device.
        seed: Of the game and of the actions; the global random state stays as it is.

    Returns:
        One to ``LENGTH`` pictures, each (H, W, 3) uint8; fewer if the game ends first.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    obs, _ = game.reset(seed=seed)
    pictures: list[Image] = []
    waited = over = False
    step = 0
    while not over and len(pictures) < LENGTH:
        waited = waited or step == PATIENCE or game.sees_artifact
        if waited and step % STRIDE == 0:
            pictures.append(game.render())
        policy = model(torch.from_numpy(obs[None]).to(device)).policy
        obs, _, terminated, truncated, _ = game.step(sample(policy, generator).item())
        over = terminated or truncated
        step += 1
    return pictures or [game.render()]
