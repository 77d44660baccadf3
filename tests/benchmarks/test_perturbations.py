"""What every arm of the study perturbs."""

from benchmarks.perturbations import ARMS, PerturbationsStudyConfig
from experiment.command_line import parse


def test_every_arm_is_a_training_of_its_own_that_differs_in_the_perturbation_alone(tmp_path):
    chosen = PerturbationsStudyConfig(json=tmp_path / "a.json").chosen
    assert chosen == ARMS
    configs = {arm: parse(list(flags))[0] for arm, flags in chosen.items()}
    found = {arm: config.ppo.perturbation for arm, config in configs.items()}
    assert len(set(found.values())) == len(ARMS)
    assert not found["default"].is_on
    assert all(one.is_on for arm, one in found.items() if arm != "default")
    assert found["noise"].clean_target
    assert not found["noise_in_target"].clean_target
    assert found["shift"].shift == 4
    assert len({config.model for config in configs.values()}) == 1
