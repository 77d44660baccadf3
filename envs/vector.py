"""Many games at once, from ALE's C++ emulator to observations.

ALE's vector environment renders native RGB. The play area is cut out, projected to one channel and
stacked over the last four frames. Nothing is resized: a resize is what loses a knife.
"""

import os
from typing import Any

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from numpy.typing import NDArray

from envs.config import EnvConfig, game_of
from envs.game import STACK, Game
from envs.gauge_reader import GaugeReader
from envs.projection import Projection


def make_env_parts(
    config: EnvConfig, projection: Projection, num_envs: int, parts: int = 2, threads: int = 0
) -> list[VectorEnv[Any, Any, Any]]:
    """Build ``num_envs`` games in parts, so that one part plays while another waits for actions.

    The parts share ``threads`` of the emulator, 0 for as many as there are cores. There are never
    more parts than games. See ``make_envs``.
    """
    each = max(1, (threads or os.cpu_count() or 1) // parts)
    sizes = [len(part) for part in np.array_split(np.arange(num_envs), parts) if len(part)]
    return [make_envs(config, projection, size, each) for size in sizes]


def make_envs(
    config: EnvConfig, projection: Projection, num_envs: int, num_threads: int = 0
) -> VectorEnv[Any, Any, Any]:
    """Build ``num_envs`` games that step together.

    Observations are (N, C, H, W) uint8, rewards the raw score differences. An episode that
    ends is reset within the same step; ``infos["final_obs"]`` then holds its real last
    observation (in the rows where it ended) and ``infos["episode"]`` its raw score ``r`` and
    length ``l`` in agent steps (in the rows that ``infos["_episode"]`` marks). What the game's
    gauges show is in ``infos["gauges"]``, (N, G) float32, at an episode's end its last in
    ``infos["final_gauges"]``, and what happened in ``infos["changes"]``, (N, 3); see
    ``envs.gauge_reader.Reading``. ``render()`` returns the native screens of the last step.

    Args:
        config: The protocol.
        projection: RGB to one channel.
        num_envs: How many games, at least 1.
        num_threads: Threads of the emulator; 0 for as many as there are cores.

    Returns:
        A Gymnasium vector environment with autoreset mode SAME_STEP.
    """
    return RecordEpisodeStatistics(
        PlayArea(make_emulators(config, num_envs, num_threads), projection, game_of(config))
    )


def make_emulators(config: EnvConfig, num_envs: int, num_threads: int = 0) -> AtariVectorEnv:
    """ALE's own vector environment: native RGB (N, 1, H, W, 3), one frame, raw rewards."""
    height, width = game_of(config).screen  # ALE would resize to any other
    return AtariVectorEnv(
        config.game,
        num_envs,
        num_threads=num_threads,
        frameskip=config.frameskip,
        repeat_action_probability=config.repeat_action_probability,
        max_num_frames_per_episode=config.max_episode_frames,
        autoreset_mode=AutoresetMode.SAME_STEP,
        img_height=height,
        img_width=width,
        grayscale=False,
        stack_num=1,
        maxpool=False,  # the maximum of two frames erases a dark knife on a bright background
        noop_max=0,
        use_fire_reset=False,
        reward_clipping=False,
    )


class PlayArea(VectorWrapper[Any, Any, Any, Any, Any]):
    """Cuts out the play area, projects it to one channel and stacks four frames.

    At an episode's start all four are its first frame. No frame crosses an episode's end.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any], projection: Projection, game: Game) -> None:
        """Wrap native-resolution RGB environments, observations (N, 1, H, W, 3) uint8."""
        super().__init__(envs)
        assert envs.single_observation_space.shape == (1, *game.screen, 3)
        self._projection, self._game = projection, game
        self._stacks = np.zeros((envs.num_envs, *game.obs_shape), np.uint8)
        self._screens = np.zeros((envs.num_envs, *game.screen, 3), np.uint8)
        self._gauges = GaugeReader(game.gauges, envs.num_envs)
        self._all = np.arange(envs.num_envs)
        self.single_observation_space = Box(0, 255, game.obs_shape, np.uint8)
        self.observation_space = batch_space(self.single_observation_space, envs.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start every episode anew; ``seed`` and ``options`` go to the emulator."""
        screens, infos = self.env.reset(seed=seed, options=options)
        self._screens = screens[:, 0]
        self._stacks = np.repeat(self._observe(self._screens)[:, None], STACK, axis=1)
        self._gauges.forget(self._all)
        infos["gauges"], _ = self._gauges.read(self._screens, self._all)
        return self._stacks, infos

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[
        NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Act once in every game; arguments and results as in Gymnasium.

        Raises:
            ValueError: If there is no such action: ALE's own threads would lose the error, and wait
                for ever.
        """
        if actions.min() < 0 or actions.max() >= self._game.num_actions:
            raise ValueError(
                f"actions must be from 0 to {self._game.num_actions - 1}, got {actions}"
            )
        screens, rewards, terminated, truncated, infos = self.env.step(actions)
        self._screens = screens[:, 0]
        frames = self._observe(self._screens)
        stacks = np.empty_like(self._stacks)  # anew every time: the last one is the caller's
        stacks[:, :-1] = self._stacks[:, 1:]
        stacks[:, -1] = frames
        ended = np.flatnonzero(terminated | truncated)
        final_screens = infos["final_obs"][ended, 0] if len(ended) else screens[:0, 0]
        if len(ended):
            final_obs = stacks.copy()
            final_obs[ended, -1] = self._observe(final_screens)
            infos["final_obs"] = final_obs
            stacks[ended] = frames[ended, None]
        infos |= self._read_gauges(ended, final_screens)
        self._stacks = stacks
        return stacks, rewards, terminated, truncated, infos

    def render(self) -> tuple[NDArray[np.uint8], ...]:
        """The native screens after the last step, N times (H, W, 3) uint8."""
        return tuple(self._screens)

    def _read_gauges(
        self, ended: NDArray[np.int64], final_screens: NDArray[np.uint8]
    ) -> dict[str, Any]:
        """What is in ``infos`` of the gauges after a step that ``ended`` some episodes."""
        if not len(ended):
            return self._gauges.read(self._screens, self._all)._asdict()
        final = self._gauges.read(final_screens, ended)
        self._gauges.forget(ended)
        gauges, changes = self._gauges.read(self._screens, self._all)
        final_gauges = gauges.copy()
        final_gauges[ended], changes[ended] = final
        return {"gauges": gauges, "final_gauges": final_gauges, "changes": changes}

    def _observe(self, screens: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Native RGB (N, H, W, 3) to play areas, projected."""
        rows, columns = self._game.play_area
        return self._projection(screens[:, rows, columns])
