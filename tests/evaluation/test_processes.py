"""Games in processes are those of the threads, and what goes wrong there is told."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from agent import threads
from agent.threads import Pulse, StalledError
from envs import EnvConfig, make_logged_envs
from evaluation import evaluate_agent as module
from evaluation import processes
from evaluation.evaluate_agent import evaluate_agent
from evaluation.games import play_games
from evaluation.processes import play_in_processes
from experiment.trained_agent import load_agent
from tests.interop.exported import PROJECTION, exported_policy

SHORT = EnvConfig(max_episode_frames=200)


def children() -> list[psutil.Process]:
    """Processes that play; Python's own helper that counts resources stays."""
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if "spawn_main" in str(one.cmdline())
    ]


def test_the_same_seed_gives_the_games_that_threads_play():
    model = exported_policy().network
    model.autoencoder.finder = None
    expected = play_games(make_logged_envs(SHORT, PROJECTION, 3), model, games=5, seed=7)
    assert play_in_processes(SHORT, PROJECTION, model, games=5, seats=3, seed=7) == expected
    assert [game.length for game in expected] == [50] * 5
    assert all("damage" in game.facts for game in expected)
    assert not children()


def test_a_process_that_is_killed_is_not_waited_for(monkeypatch):
    recv, looks = processes.Connection.poll, []

    def look(self, timeout):
        looks.append(timeout)
        if len(looks) == 3:
            os.kill(children()[0].pid, signal.SIGKILL)
        return recv(self, timeout)

    monkeypatch.setattr(processes.Connection, "poll", look)
    with pytest.raises(RuntimeError, match="ended with exit code -9"):
        play_in_processes(SHORT, PROJECTION, exported_policy().network, 1, 1, seed=7)
    assert not children()


def test_an_error_in_a_process_is_raised_here():
    wrong = EnvConfig(play_area=(0, 8, 0, 8), max_episode_frames=200)  # the network sees 64 x 144
    with pytest.raises(RuntimeError, match=r"mat1 and mat2|shape|size"):
        play_in_processes(wrong, PROJECTION, exported_policy().network, 1, 1, seed=7)


def test_a_process_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(threads, "LOOK", 0.05)
    monkeypatch.setattr(threads, "PATIENCE", 6)
    monkeypatch.setattr(processes, "LOOK", 0.1)
    with pytest.raises(StalledError):  # before it could have started
        play_in_processes(SHORT, PROJECTION, exported_policy().network, 1, 1, seed=7)
    assert not children()


def test_many_games_are_played_in_processes_and_few_are_not(monkeypatch):
    asked: list[tuple[int, int, int]] = []

    def instead(_, projection, model, games, seats, seed):
        asked.append((games, seats, seed))
        return play_games(make_logged_envs(SHORT, projection, 1), model, 1, seed)

    monkeypatch.setattr(module, "play_in_processes", instead)
    agent = load_agent(Path("policies/climb.safetensors"))
    agent = agent._replace(config=agent.config.__class__(env=SHORT, model=agent.config.model))
    evaluate_agent(agent, "few", games=2, seed=3)
    assert not asked
    evaluate_agent(agent, "many", games=40, seed=3)
    assert asked == [(40, 16, 3)]


def test_a_sign_of_life_is_sent_now_and_then():
    class Wire:
        sent = 0

        def send(self, message):
            assert message is None
            self.sent += 1

    wire = Wire()
    sender = processes._Sender(wire)
    assert isinstance(sender, Pulse)
    assert all(sender.beat() for _ in range(3 * processes.BEATS + 1))
    assert wire.sent == 3
