"""A game as its agent sees it: the picture beside observation, reconstruction and weight map."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from agent.actor_critic import ActorCritic
from encoders import ArtifactWeightsConfig, RegionFinder
from monitoring.pictures import Picture, agent_view


class AgentView(gym.Wrapper[NDArray[np.uint8], Any, NDArray[np.uint8], Any]):
    """Renders a game together with what the model makes of its newest frame."""

    def __init__(
        self,
        env: gym.Env[NDArray[np.uint8], Any],
        model: ActorCritic,
        finder: RegionFinder,
        weights: ArtifactWeightsConfig,
    ) -> None:
        """Wrap a game whose ``render()`` returns RGB (H, W, 3) uint8."""
        super().__init__(env)
        self._model, self._finder, self._weights = model, finder, weights

    @property
    def render_mode(self) -> str:
        """Always pictures; Gymnasium's HumanRendering asks for it."""
        return "rgb_array"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """As in Gymnasium."""
        self._obs, info = self.env.reset(seed=seed, options=options)
        return self._obs, info

    def step(self, action: Any) -> tuple[NDArray[np.uint8], Any, bool, bool, dict[str, Any]]:
        """As in Gymnasium."""
        self._obs, reward, terminated, truncated, info = self.env.step(action)
        return self._obs, reward, terminated, truncated, info

    @property
    def has_artifact(self) -> bool:
        """Whether the detector finds an artifact in the newest frame."""
        return bool(self._finder.pixels(self._obs[None]).any())

    def render(self) -> Picture:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The present step, RGB uint8 of even height and width."""
        screen: Any = self.env.render()
        autoencoder = self._model.autoencoder
        device = next(self._model.parameters()).device
        obs = torch.from_numpy(self._obs[None]).to(device)
        regions = torch.from_numpy(self._finder(self._obs[None])).to(device)
        weights = autoencoder.newest_weights(obs, regions, self._weights)[0].cpu()
        reconstruction = autoencoder.reconstruct(obs)[0, -1].cpu()
        return agent_view(screen, self._obs[-1], reconstruction.numpy(), weights.numpy())
