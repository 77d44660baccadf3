"""Several ranks learn what one would learn from all of their games."""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from agent import ranks as module
from agent import rendezvous, shared_memory
from agent.credit import CreditConfig
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from agent.ranks import SHARED_FEWEST, LostRankError, Ranks
from agent.rendezvous import meet
from agent.rollout import Rollout
from encoders import ArtifactWeightsConfig
from tests.agent.dummy import put_regions
from tests.agent.learning import ENVS, STEPS, make_model, make_rollout


def start(task: Callable[..., Any], directory: Path, size: int, rank: int) -> None:
    """Join the ranks, do the task and write what came out."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{directory}/store", size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    try:
        result = task(Ranks(rank, size, store))
    except BaseException as error:
        result = error
    (directory / str(rank)).write_bytes(pickle.dumps(result))
    dist.destroy_process_group()


def run_ranks(task: Callable[[Ranks], Any], directory: Path, size: int = 2) -> list[Any]:
    """What each rank made of a task, in their order; its error if it raised one."""
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=start, args=(task, directory, size, rank)) for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    files = [directory / str(rank) for rank in range(size)]
    return [pickle.loads(file.read_bytes()) if file.exists() else None for file in files]


def all_games() -> Rollout:
    """Rewards and artifacts are not the same in both halves of the games."""
    model = make_model()
    rollout = make_rollout(model)
    put_regions(rollout, np.s_[:, 1:], 0)
    rollout.rewards[:, : ENVS // 2] *= 2
    return rollout


def learn(rollout: Rollout, ranks: Ranks | None = None) -> dict[str, np.ndarray]:
    """State after three updates from the same games, the last of them with NaN on one rank."""
    model = make_model()
    config = PPOConfig(num_steps=STEPS, num_minibatches=1, learning_rate=1e-2)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig(), ranks)
    for _ in range(2):
        ppo.update(rollout, 0, progress=0.0)
    if not ranks or ranks.first:
        rollout.rewards[0, 0] = torch.nan
    assert ppo.update(rollout, 0, progress=0.0)["gradients/skipped"] == 1
    return {name: value.numpy().copy() for name, value in model.state_dict().items()}


def learn_from_half(ranks: Ranks) -> dict[str, np.ndarray]:
    share = ENVS // ranks.size
    return learn(all_games().part(ranks.rank * share, (ranks.rank + 1) * share), ranks)


def test_two_ranks_learn_what_one_learns_from_all_games(tmp_path: Path):
    before, one = make_model().state_dict(), learn(all_games())
    first, second = run_ranks(learn_from_half, tmp_path)
    for name, value in one.items():
        assert (first[name] == second[name]).all(), name
        np.testing.assert_allclose(first[name], value, rtol=2e-3, atol=2e-5, err_msg=name)
    moved = np.abs(one["actor.hidden.weight"] - before["actor.hidden.weight"].numpy()).max()
    assert moved > 0.01


def talk(ranks: Ranks) -> tuple[Any, ...]:
    model = make_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += ranks.rank
    ranks.begin_alike(model)
    numbers = [torch.full((2,), float(ranks.rank)), torch.tensor(10.0 * ranks.rank)]
    ranks.average(numbers)
    told = ranks.led(lambda: f"by rank {ranks.rank}")
    fresh = make_model().state_dict()
    alike = all(torch.equal(fresh[name], value) for name, value in model.state_dict().items())
    flags = ranks.any(ranks.rank == 1), ranks.any(False)
    return [number.tolist() for number in numbers], told, alike, flags, ranks.gather(ranks.rank)


def test_ranks_agree(tmp_path: Path):
    expected = ([[0.5, 0.5], 5.0], "by rank 0", True, (True, False), [0, 1])
    assert run_ranks(talk, tmp_path) == [expected] * 2


def average_much(ranks: Ranks) -> tuple[bool, list[bool]]:
    """Whether memory is shared, and whether means in it are right, large and small in turn."""
    right: list[bool] = []
    meet_others = ranks._all_reduce

    def meet_and_wait(*arguments: Any) -> None:
        meet_others(*arguments)
        time.sleep(0.05)

    if ranks.rank:  # it reads late, when the other one may already write again
        ranks._all_reduce = meet_and_wait  # type: ignore[method-assign]
    for step, count in enumerate((SHARED_FEWEST, 7, SHARED_FEWEST - 5, 2 * SHARED_FEWEST, 40_000)):
        whole, number = torch.arange(float(count)), torch.tensor(float(ranks.rank))
        mine = [whole * (ranks.rank + 1) + step, number.expand(3, 2).clone()]
        ranks.average(mine)
        right += [torch.equal(mine[0], whole * 1.5 + step), bool((mine[1] == 0.5).all())]
    return ranks._slots is not None, right


def average_without_memory(ranks: Ranks) -> tuple[bool, list[bool]]:
    shared_memory._open = lambda *_: None
    return average_much(ranks)


@pytest.mark.parametrize(
    ("task", "shared"),
    [(average_much, True), (average_without_memory, False)],
)
def test_much_is_averaged_in_memory_where_ranks_can_share_it(
    task: Callable[..., Any], shared: bool, tmp_path: Path
):
    assert run_ranks(task, tmp_path) == [(shared, [True] * 10)] * 2


def test_a_file_of_another_machine_is_left_alone(tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(b"knives")
    with file.open("rb") as handle:
        path = Path(f"/proc/{os.getpid()}/fd/{handle.fileno()}")
        assert shared_memory._open(path, "knifesight", 4096) is None
    assert shared_memory._open(Path("/proc/1/fd/9999"), "knifesight", 4096) is None
    assert file.read_bytes() == b"knives"


def test_one_rank_asks_nobody(monkeypatch: pytest.MonkeyPatch):
    for name in ("all_reduce", "all_gather_object", "broadcast"):
        monkeypatch.setattr(dist, name, lambda *_: pytest.fail("somebody was asked"))
    expected = ([[0.0, 0.0], 0.0], "by rank 0", True, (False, False), [0])
    assert talk(Ranks()) == expected


def fail_first(ranks: Ranks) -> None:
    ranks.led(lambda: int("no number"))


def test_a_failure_of_the_first_rank_ends_the_others_without_a_word(tmp_path: Path):
    first, second = run_ranks(fail_first, tmp_path)
    assert isinstance(first, ValueError)
    assert isinstance(second, SystemExit)


def lose_second(ranks: Ranks) -> str:
    module.ANSWER = 1.0
    assert ranks._store
    ranks._store.set(f"name/{ranks.rank}", f"process {os.getpid()}")
    ranks.any(False)
    if ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    try:
        for _ in range(3):
            ranks.average([torch.ones(3)])
    except LostRankError as error:
        return str(error)
    return "nothing"


def test_a_lost_rank_is_named(tmp_path: Path):
    first, _ = run_ranks(lose_second, tmp_path)
    assert "lost rank 1 (process " in first


def met(store: dist.Store, size: int) -> list[str]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: meet(store, rank, size), range(size)))


def test_ranks_meet_with_a_word_that_is_new_at_every_attempt():
    store = dist.HashStore()
    words = [met(store, 3) for _ in range(3)]  # what an attempt has written stays
    assert all(len(set(attempt)) == 1 for attempt in words)
    assert len({attempt[0] for attempt in words}) == 3


def test_a_rank_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rendezvous, "TIMEOUT", timedelta(seconds=0.2))
    store = dist.HashStore()
    store.set("hello/2", "from an earlier attempt")
    with pytest.raises(LostRankError, match="rank 1, 2 has not come"):
        meet(store, 0, 3)
    with pytest.raises(LostRankError, match="rank 0 has not come"):
        meet(store, 1, 3)
