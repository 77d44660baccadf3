"""A video of one game."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import imageio.v2 as imageio
import imageio_ffmpeg  # pyright: ignore[reportMissingTypeStubs]

from experiment.files import SaveError, write_file


class VideoRecorder(gym.Wrapper[Any, Any, Any, Any]):
    """Records the first game of an environment as H.264 in MP4, which browsers play."""

    def __init__(self, env: gym.Env[Any, Any], path: Path, warn: Callable[[str], object]) -> None:
        """Begin a video in a temporary place; ``save`` brings it to ``path``.

        Whatever goes wrong, the game goes on. ``warn`` is told of a picture that cannot be drawn.
        """
        super().__init__(env)
        self._path, self._warn = path, warn
        self._place = tempfile.TemporaryDirectory(prefix="knifesight-")
        self._video = Path(self._place.name) / "game.mp4"
        self._pictures = 0
        self._over = False
        self._writer: Any = imageio.get_writer(
            self._video, fps=env.metadata["render_fps"], codec="libx264", pixelformat="yuv420p",
            macro_block_size=2, ffmpeg_log_level="error",
        )  # fmt: skip

    def step(self, action: Any) -> Any:
        """As in Gymnasium; adds a picture until the first game is over."""
        obs, reward, terminated, truncated, info = self.env.step(action)
        if not self._over:
            self._over = terminated or truncated
            self._add()
        return obs, reward, terminated, truncated, info

    def _add(self) -> None:
        try:
            picture = self.env.render()
        except Exception as error:
            self._over = True
            self._warn(f"warning: the video {self._path} ends here: {error}")
            return
        try:
            self._writer.append_data(picture)
            self._pictures += 1
        except OSError:  # ffmpeg has ended, and said why
            self._over, self._pictures = True, 0

    def save(self) -> None:
        """Write the file whole, or leave the one that is there as it is.

        Raises:
            SaveError: If it cannot be written, or ffmpeg could not make it.
        """
        self._writer.close()
        try:
            whole = 0 < self._pictures == imageio_ffmpeg.count_frames_and_secs(str(self._video))[0]
        except (OSError, RuntimeError):
            whole = False
        if not whole:
            raise SaveError(f"{self._path} cannot be written: ffmpeg could not make the video")
        write_file(self._path, self._video.read_bytes())

    def close(self) -> None:
        """As in Gymnasium; removes what is temporary."""
        self._writer.close()
        self._place.cleanup()
        super().close()
