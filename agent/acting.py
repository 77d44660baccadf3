"""What the network does in every step of a game."""

from collections.abc import Callable

import torch
from torch import Tensor

from agent.actor_critic import ActorCritic
from agent.traced import traced
from encoders import Points


class Acting:
    """What the network makes of N games at every step, each as one call.

    Attributes:
        see: Observations (N, C, H, W) uint8, best channels last, gauges (N, G) and tracks (N, U) to
            log-probabilities and probabilities of the actions, (N, A), and values, (N,).
        follow: Frames (N, H, W) uint8, whether each begins an episode, (N,) bool, and the points of
            the C frames before, (N, C, K), to those of the last C frames.
        link: Points of C frames to the units of tracks, (N, U).
    """

    see: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
    follow: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    link: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, model: ActorCritic) -> None:
        """Act with ``model``."""
        self._model = model
        self.see, self.follow, self.link = self._see, self._follow, self._link

    def record(self, obs: Tensor, gauges: Tensor, tracks: Tensor, points: Points | None) -> None:
        """Make every call quicker for inputs of these shapes; see ``agent.traced``."""
        model = self._model
        if obs.device.type != "cpu" or model.autoencoder.config.mask_channel:
            return  # a mask is made by OpenCV, which cannot be recorded
        self.see = traced(model, self._see, (obs, gauges, tracks))
        if points:
            frames, begins = obs[:, -1].contiguous(), torch.zeros(len(obs), dtype=torch.bool)
            self.follow = traced(model, self._follow, (frames, begins, *points))
            some = torch.ones_like(points.present)  # without any there would be nothing to record
            self.link = traced(model, self._link, (points.places, some))

    def _see(self, obs: Tensor, gauges: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        policy, value, _ = self._model(obs, gauges, tracks)
        return policy.logits, policy.probs, value

    def _follow(
        self, frames: Tensor, begins: Tensor, places: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor]:
        newest = self._model.autoencoder.locate(frames[:, None])
        begins = begins[:, None, None]
        # Where an episode begins it stands in for all C frames, as in the environment's own stack.
        places = torch.cat([places[:, 1:], newest.places], dim=1)
        present = torch.cat([present[:, 1:], newest.present], dim=1)
        return (
            torch.where(begins[..., None], newest.places, places),
            torch.where(begins, newest.present, present),
        )

    def _link(self, places: Tensor, present: Tensor) -> Tensor:
        return self._model.autoencoder.track(Points(places, present))
