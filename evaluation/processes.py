"""Whole games in processes of their own, which wait for no lock of each other."""

import multiprocessing
import signal
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

import torch

from agent.actor_critic import ActorCritic
from agent.threads import Pulse, in_parallel
from envs import EnvConfig, Projection, make_logged_envs
from evaluation.games import PlayedGame, Share, play_share, shares
from experiment.allocator import keep_freed_memory

LOOK = 0.5
"""Seconds between two looks whether to go on."""
BEATS = 16
"""Steps between two signs of life of a process."""


class _Job(NamedTuple):
    """What a process plays."""

    config: EnvConfig
    projection: Projection
    model: ActorCritic
    share: Share
    seed: int
    threads: int
    """PyTorch's, in the process."""


class _Sender(Pulse):
    """Sends signs of life to the process that waits."""

    def __init__(self, connection: Connection) -> None:
        """Send through ``connection``."""
        super().__init__()
        self._connection = connection

    def beat(self) -> bool:
        """As in ``Pulse``; who waits ends this process instead of asking it to stop."""
        if super().beat() and self.beats % BEATS == 0:
            self._connection.send(None)
        return True


def play_in_processes(
    config: EnvConfig, projection: Projection, model: ActorCritic, games: int, seats: int, seed: int
) -> list[PlayedGame]:
    """Play the games that ``play_games`` plays in ``seats`` logged environments, but faster.

    It takes some seconds to start the processes, one for each part.

    Args:
        config: The protocol.
        projection: RGB to one channel.
        model: The policy, on the CPU.
        games: How many games in all, at least one for each seat.
        seats: Environments.
        seed: Seed of environments and action sampling.

    Raises:
        RuntimeError: If a process ends without a result.
        StalledError: If a game hangs.
    """
    parts = shares(games, seats)
    threads = max(1, torch.get_num_threads() // len(parts))
    jobs = [_Job(config, projection, model, share, seed, threads) for share in parts]
    played = in_parallel([partial(_wait, job) for job in jobs])
    return [game for part in played for game in part]


def _wait(job: _Job, pulse: Pulse) -> list[PlayedGame]:
    """Start a process and wait for its games, or end it if ``pulse`` says so."""
    context = multiprocessing.get_context("spawn")  # a fork of a program with threads may hang
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, job), daemon=True)
    process.start()
    there.close()
    try:
        while not pulse.is_set():
            if not here.poll(LOOK):
                continue
            try:
                message = here.recv()
            except EOFError:
                process.join()
                raise RuntimeError(
                    f"a process that played games ended with exit code {process.exitcode}"
                ) from None
            if isinstance(message, BaseException):
                raise message
            if message is not None:
                return message
            pulse.beat()
        return []
    finally:
        process.terminate()
        process.join()
        here.close()


def _work(connection: Connection, job: _Job) -> None:
    """Play and send the games, or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; who waits ends this process
    torch.set_num_threads(job.threads)
    keep_freed_memory()
    try:
        envs = make_logged_envs(job.config, job.projection, job.share.seats)
        played = play_share(envs, job.model, job.share, job.seed, _Sender(connection))
    except Exception as error:
        connection.send(error)
    else:
        connection.send(played)
