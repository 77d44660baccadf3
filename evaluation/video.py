"""A video of one game."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v2 as imageio


class VideoRecorder(gym.Wrapper[Any, Any, Any, Any]):
    """Writes the first game of an environment as H.264 in MP4, which browsers play."""

    def __init__(self, env: gym.Env[Any, Any], path: Path, warn: Callable[[str], object]) -> None:
        """Open ``path``; if it cannot go on later, ``warn`` is told and the game does."""
        super().__init__(env)
        self._path, self._warn = path, warn
        rate = env.metadata["render_fps"]
        self._writer: Any = imageio.get_writer(
            path, fps=rate, codec="libx264", pixelformat="yuv420p", macro_block_size=2
        )

    def step(self, action: Any) -> Any:
        """As in Gymnasium; adds a picture until the first game is over."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if self._writer:
            self._try(lambda: self._writer.append_data(self.env.render()))
            if terminated or truncated:
                self.finish()
        return obs, reward, terminated, truncated, info

    def finish(self) -> None:
        """Finish the file."""
        if self._writer:
            self._try(self._writer.close)
            self._writer = None

    def _try(self, write: Callable[[], object]) -> None:
        """Draw or write; if that fails, the video is over and the game is not."""
        try:
            write()
        except Exception as error:
            self._writer = None
            self._warn(f"warning: the video {self._path} ends here: {error}")
