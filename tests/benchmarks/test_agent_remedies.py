"""What every arm of the study changes."""

from dataclasses import replace

from benchmarks.agent_remedies import ARMS, AgentRemediesConfig
from encoders import PerturbationConfig
from experiment.command_line import parse


def test_every_arm_is_a_training_of_its_own_that_differs_in_its_remedy_alone(tmp_path):
    chosen = AgentRemediesConfig(json=tmp_path / "a.json").chosen
    assert chosen == ARMS
    configs = {arm: parse(list(flags))[0] for arm, flags in chosen.items()}
    assert len({repr(config) for config in configs.values()}) == len(ARMS)
    plain = configs["default"]
    for config in configs.values():
        autoencoder = replace(config.model.autoencoder, mask_channel=False)
        model = replace(config.model, autoencoder=autoencoder, experts=1, expert_by="stage")
        ppo = replace(config.ppo, perturbation=PerturbationConfig())
        assert replace(config, model=model, ppo=ppo) == plain
    found = {arm: config.ppo.perturbation for arm, config in configs.items()}
    assert found["noise"].clean_target
    assert not found["noise_in_target"].clean_target
    assert found["shift"].shift == 4
    assert configs["experts_by_stage"].model.experts == 5  # one for each stage
    assert configs["mask_channel"].model.autoencoder.mask_channel
