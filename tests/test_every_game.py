"""Every game that ale-py plays alone is trained, saved and judged. It takes half an hour."""

from pathlib import Path

import pytest

import train
from envs.game import playable_roms
from experiment.run_directory import RunDirectory

STEPS = 4096


@pytest.mark.long
@pytest.mark.parametrize("rom", playable_roms())
def test_a_game_is_trained_saved_and_judged(rom: str, tmp_path: Path):
    run = RunDirectory(tmp_path / rom)
    flags = ["--env.game", rom, "--run-dir", str(run.path), "--total-steps", str(STEPS)]
    flags += ["--evaluation-games", "1", "--env.max-episode-frames", "2000"]
    assert train.main([*flags, "--num-envs", "16", "--film-interval", str(10**6)]) == 0
    saved = run.latest()
    assert saved.state["statistics"]["steps"] >= STEPS
    assert run.read_evaluation(saved)
