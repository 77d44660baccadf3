"""A run's directory: where everything is, and how it is kept."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from experiment.checkpoint import (
    Checkpoint,
    CheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from experiment.config import TrainConfig
from experiment.errors import UserError
from experiment.files import TEMPORARY, SaveError, reason, write_json
from experiment.run_lock import RunLock
from experiment.run_statistics import RunStatistics
from settings import from_json, to_json

KEPT = 2
"""Numbered checkpoints that a run keeps."""
Check = Callable[[Checkpoint], object]
"""Raises CheckpointError for a checkpoint that does not fit the caller's program."""


class RunDirectory:
    """The layout of a run. Reading needs no more; writing needs ``claim``."""

    def __init__(self, path: Path) -> None:
        """Name the files of the run in ``path``; nothing is made."""
        self.path = path
        self.config = path / "config.json"
        self.lock = path / "lock"
        self.tensorboard = path / "tensorboard"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.safetensors"
        self.evaluation = path / "evaluation.json"
        self.newest: Path | None = None
        """The newest checkpoint that is surely there, for who has claimed the run."""
        self._lock: RunLock | None = None

    @classmethod
    def of(cls, checkpoint: Path) -> "RunDirectory":
        """The run to which a checkpoint file belongs by its place."""
        return cls(checkpoint.absolute().parent.parent)

    def begun(self) -> bool:
        """Whether there is a run that can be resumed, be it from its start."""
        return self.config.exists() or bool(self.numbered())

    def ended_early(self) -> bool:
        """Whether the run ended before its first checkpoint, so that it can only start again."""
        try:
            return self.config.is_file() and not any(self.checkpoints.glob("[!.]*"))
        except OSError:  # a name that is too long, or no permission to look
            return False

    def is_part_of_another(self) -> bool:
        """Whether this is the directory of a run's checkpoints."""
        with suppress(OSError):  # a name that is too long, or no permission to look
            return any(self.path.glob("steps_*.safetensors"))
        return False

    def numbered(self) -> list[Path]:
        """The checkpoints by agent steps, oldest first, without the best."""
        return sorted(self.checkpoints.glob("steps_*.safetensors"))

    def latest(self, check: Check = lambda _: None) -> Checkpoint:
        """Read the newest usable checkpoint; its ``unusable`` tells which newer ones are not.

        Raises:
            CheckpointError: If there is none, or all are damaged, foreign, of another version or
                do not pass ``check``.
        """
        unusable: list[tuple[Path, str]] = []
        for file in reversed(self.numbered()):
            try:
                return read_checkpoint(file, check)._replace(unusable=tuple(unusable))
            except CheckpointError as error:
                unusable.append((file, str(error)))
        if unusable:
            reasons = "; ".join(reason for _, reason in unusable)
            raise CheckpointError(f"{reasons}; no older one is there")
        raise CheckpointError(f"{self.path}: holds no checkpoint")

    def read_config(self) -> TrainConfig:
        """The config with which the run was started or last resumed.

        Raises:
            UserError: If it is not there or not one of this program.
        """
        try:
            return from_json(json.loads(self.config.read_text()), TrainConfig)
        except OSError as error:
            raise UserError(f"{self.config} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(f"{self.config} is no config of this program: {error}") from error

    @contextmanager
    def claim(
        self, config: TrainConfig, resumed: Checkpoint | None, warn: Callable[[str], object]
    ) -> Generator[None]:
        """Keep the directory to this process while the context lasts, and write the config.

        Half-written files of a killed process are deleted. Unusable checkpoints get another name,
        so that they are neither loaded nor counted.

        Args:
            config: Of the run.
            resumed: Where it goes on; None if it starts, or starts again, from nothing.
            warn: Is told if the file system knows no locks, so that nothing keeps others out.

        Raises:
            UserError: If it holds another run, is a part of one, is in use or cannot be written.
        """
        if self.is_part_of_another():
            raise UserError(
                f"run_dir must be the directory of a run, got {self.path}, which holds the "
                f"checkpoints of {self.of(self.path / 'any').path}"
            )
        try:
            str(self.path.absolute()).encode()
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(self.lock, warn)
        except UnicodeEncodeError as error:  # of the working directory; commands name it
            raise UserError(f"run_dir must be in UTF-8, got {error.object!r}") from error
        except OSError as error:
            raise self._not_writable(error) from error
        self._config, self._warn = to_json(config), warn
        try:
            try:
                self._check_unchanged(config, resumed)
                self._tidy([file for file, _ in resumed.unusable] if resumed else [])
                write_json(self.config, self._config)
            except OSError as error:
                raise self._not_writable(error) from error
            except SaveError as error:
                raise UserError(f"run_dir {self.path}: {error}") from error
            self.newest = resumed.path if resumed else None
            yield
        finally:
            self._lock.close()

    def save(
        self, tensors: dict[str, Tensor], state: dict[str, Any], statistics: RunStatistics
    ) -> None:
        """Write the latest checkpoint, and the best one if it is; drop all but the newest two.

        Args:
            tensors: As ``capture`` returns them.
            state: What of the state a training does not change, as JSON.
            statistics: Of the run; its ``best`` is kept here.

        Raises:
            SaveError: If one cannot be written; names the latest checkpoint that is there.
        """
        best, better = statistics.best, statistics.better_score()
        if better is not None:
            statistics.best = better
        whole = {**state, "statistics": to_json(statistics)}
        path = self.checkpoints / f"steps_{statistics.steps:012d}.safetensors"
        try:
            if self._lock and not self._lock.holds():
                self._begin_again()
            write_checkpoint(path, tensors, whole)
            self.newest = path
            for old in self.numbered()[:-KEPT]:
                with suppress(OSError):  # the next save tries again
                    old.unlink()
            if better is not None:
                write_checkpoint(self.best, tensors, whole)
        except SaveError as error:
            statistics.best = best
            kept = f"the latest checkpoint is {self.newest}" if self.newest else "none is there"
            raise SaveError(f"{error}; {kept}") from error

    def best_score(self) -> float | None:
        """Of the best checkpoint that is there; None if there is none."""
        try:
            return read_checkpoint(self.best).read(RunStatistics, "statistics").best
        except CheckpointError:
            return None

    def write_evaluation(self, report: dict[str, Any]) -> None:
        """Keep what an evaluation said; its ``checkpoint`` is the digest of what it judged.

        Raises:
            SaveError: If it cannot be written.
        """
        write_json(self.evaluation, report)

    def read_evaluation(self, checkpoint: Checkpoint) -> dict[str, Any] | None:
        """What the run's evaluation says of a checkpoint; None if there was no evaluation.

        Raises:
            UserError: If the file is none that ``write_evaluation`` wrote, or judges another
                checkpoint.
        """
        if not self.evaluation.is_file():
            return None
        try:
            report: dict[str, Any] = json.loads(self.evaluation.read_text())
            judged = report["checkpoint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.evaluation} is no evaluation of a run") from error
        if judged != checkpoint.digest:
            raise UserError(f"{self.evaluation} is of another checkpoint than {checkpoint.path}")
        return report

    def _begin_again(self) -> None:
        """Make the directory anew, because it was deleted or moved, and keep it as before.

        Raises:
            SaveError: If it cannot be made, or somebody else has begun a run there.
        """
        assert self._lock
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = RunLock(self.lock, self._warn)
        except (OSError, UserError) as error:
            why = self._not_writable(error) if isinstance(error, OSError) else error
            raise SaveError(str(why)) from error
        if self.begun():
            lock.close()
            raise SaveError(f"run_dir {self.path} holds another run by now")
        self._lock.close()
        self._lock = lock
        write_json(self.config, self._config)

    def _check_unchanged(self, config: TrainConfig, resumed: Checkpoint | None) -> None:
        """Raise UserError unless the directory, now ours, is as it was when we looked."""
        if resumed:
            files = sorted([resumed.path, *(file for file, _ in resumed.unusable)])
            changed = self.numbered()[-len(files) :] != files or (
                read_checkpoint(resumed.path).digest != resumed.digest
            )
        else:
            changed = config.resume and bool(self.numbered())
        if changed:
            raise UserError(f"run_dir {self.path} was trained on just now; resume once more")
        if not config.resume and self.begun():
            raise UserError(
                f"run_dir {self.path} already holds a run; go on with --resume or choose another"
            )

    def _tidy(self, unusable: list[Path]) -> None:
        """Delete what a killed process left half-written, and set unusable checkpoints aside."""
        for directory in (self.path, self.checkpoints):
            for orphan in directory.glob(f".*{TEMPORARY}"):
                orphan.unlink()
        for path in unusable:
            path.rename(path.with_suffix(".unusable"))

    def _not_writable(self, error: OSError) -> UserError:
        return UserError(f"run_dir {self.path} cannot be written: {reason(error, self.path)}")


def load_checkpoint(path: Path, check: Check = lambda _: None) -> Checkpoint:
    """Read a checkpoint file, or the newest usable one of a run.

    Args:
        path: The file, the run's directory, or that of its checkpoints.
        check: See ``Check``.

    Raises:
        CheckpointError: If there is none that is whole and fits.
    """
    try:
        is_directory = path.is_dir()
    except OSError as error:  # a name that is too long, or no permission to look
        raise CheckpointError(f"{path}: {error.strerror}") from error
    if not is_directory:
        return read_checkpoint(path, check)
    run = RunDirectory(path)
    return (run.of(path / "any") if run.is_part_of_another() else run).latest(check)
