"""One game with the agent's observations: Gymnasium's interface instead of a vector's.

For evaluation, where every game has its own length and the RAM is read, and for other libraries:
``gymnasium.make("envs:knifesight/KungFuMaster-v0")``. Every game has an id.
"""

from functools import cache
from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from ale_py import ALEInterface, LoggerMode, roms
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from envs.calibration import calibrate
from envs.config import EnvConfig, game_of
from envs.gauge_reader import GaugeReader
from envs.projection import Projection

CALIBRATION_SEED = 1
"""Seed of the random play to which a projection is fitted if none is given."""


class SingleEnv(gym.Env[NDArray[np.uint8], np.int64]):
    """One game as ``make_envs`` plays many: observations (C, H, W) uint8, raw rewards.

    ``info["gauges"]`` holds what the game's gauges show, (G,) float32, and ``info["changes"]`` what
    happened, (3,) float32; see ``envs.gauge_reader.Reading``.
    ``render()`` returns the native screen, RGB uint8.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012, as in Gymnasium

    def __init__(
        self,
        projection: Projection | None = None,
        config: EnvConfig | None = None,
        render_mode: str | None = None,
        game: str = EnvConfig.game,
    ) -> None:
        """Prepare a game; it is loaded by the first ``reset``.

        Args:
            projection: RGB to one channel, for instance that of a checkpoint; if left out, one is
                fitted to a few seconds of random play.
            config: The protocol.
            render_mode: ``rgb_array`` or None. Gymnasium adds ``human`` by itself.
            game: Name of the ROM, if there is no ``config``.

        Raises:
            ValueError: If ``render_mode`` is another one.
        """
        modes = [None, *self.metadata["render_modes"]]
        if render_mode not in modes:
            raise ValueError(f"render_mode must be one of {modes}, got {render_mode!r}")
        self.render_mode = render_mode
        self.config = config or EnvConfig(game=game)
        self.game = game_of(self.config)
        self.metadata = {**self.metadata, "render_fps": 60 / self.config.frameskip}
        self.projection = projection or default_projection(self.config)
        self.observation_space = Box(0, 255, self.game.obs_shape, np.uint8)
        self.action_space = Discrete(self.game.num_actions)
        ALEInterface.setLoggerMode(LoggerMode.Error)  # pyright: ignore[reportUnknownArgumentType]
        self._ale = ALEInterface()
        self._ale.setFloat("repeat_action_probability", self.config.repeat_action_probability)
        self._ale.setInt("frame_skip", self.config.frameskip)
        self._ale.setInt("max_num_frames_per_episode", self.config.max_episode_frames)
        self._actions: list[Any] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start a game; ``seed`` sets the emulator's random state. ``options`` are not used."""
        super().reset(seed=seed, options=options)
        if seed is not None or not self._actions:
            self._ale.setInt("random_seed", int(self.np_random.integers(2**31)))
            self._ale.loadROM(str(roms.get_rom_path(self.game.rom)))
            assert self._ale.getScreenDims() == self.game.screen
            self._actions = self._ale.getMinimalActionSet()
        self._ale.reset_game()
        self._gauges = GaugeReader(self.game.gauges, 1)
        screen = self.render()
        self._stack = np.repeat(self._frame(screen), self.game.obs_shape[0], axis=0)
        return self._stack, self._info(screen)

    def step(
        self, action: SupportsInt
    ) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Act for one agent step; arguments and results as in Gymnasium.

        Raises:
            ValueError: If there is no such action.
        """
        if not 0 <= int(action) < len(self._actions):  # a negative one would count from the end
            raise ValueError(f"action must be from 0 to {len(self._actions) - 1}, got {action}")
        reward = self._ale.act(self._actions[int(action)])
        screen = self.render()
        self._stack = np.concatenate([self._stack[1:], self._frame(screen)])
        terminated = self._ale.game_over(with_truncation=False)
        truncated = self._ale.game_truncated()
        return self._stack, float(reward), terminated, truncated, self._info(screen)

    def render(self) -> NDArray[np.uint8]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The native screen after the last step."""
        return self._ale.getScreenRGB()

    @property
    def ram(self) -> NDArray[np.uint8]:
        """The console's memory, (128,) uint8; for judging and tests, never for training."""
        return self._ale.getRAM()

    def _frame(self, screen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self.projection(np.ascontiguousarray(screen[self.game.play_area])[None])

    def _info(self, screen: NDArray[np.uint8]) -> dict[str, Any]:
        reading = self._gauges.read(screen[None], np.zeros(1, np.int64))
        return {"gauges": reading.gauges[0], "changes": reading.changes[0]}


@cache
def default_projection(config: EnvConfig) -> Projection:
    """The projection fitted to random play under ``config``, once in a process."""
    return calibrate(config, CALIBRATION_SEED)
