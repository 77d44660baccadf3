"""Every loss trains the parts that the table says, and no other: exact zeros and sums."""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from agent.actor_critic import ActorCritic, ActorCriticConfig
from agent.credit import CreditConfig
from agent.gradients import GradientsConfig, backward
from agent.ppo import PPO
from agent.ppo_config import PPOConfig
from encoders import ArtifactWeightsConfig, AutoencoderConfig, EncoderConfig, LocatorConfig
from experiment.command_line import parse
from tests.agent.dummy import NUM_ACTIONS, OBS_SHAPE, STAGES
from tests.agent.learning import STEPS, batches_of, with_tracks

DEFAULT = GradientsConfig()
LOSSES = [field.name for field in fields(GradientsConfig)]
NOTHING = GradientsConfig(*[()] * len(LOSSES))


def make_model(gradients: GradientsConfig, **settings) -> ActorCritic:
    """With tracks, so that every loss has something to train."""
    torch.manual_seed(0)
    encoder, locator = EncoderConfig(channels=(4, 8)), LocatorConfig(count=1)
    autoencoder = AutoencoderConfig(encoder, bfloat16=False, locator=locator)
    config = ActorCriticConfig(autoencoder, gradients=gradients, **settings)
    return ActorCritic(OBS_SHAPE, NUM_ACTIONS, config, STAGES if settings else ())


def losses_of(model: ActorCritic) -> dict[str, torch.Tensor]:
    """Of one batch with artifacts."""
    rollout = with_tracks(model, stages=len(STAGES) if model.config.experts > 1 else 0)
    config = PPOConfig(num_steps=STEPS, num_minibatches=1)
    ppo = PPO(model, config, ArtifactWeightsConfig(), CreditConfig())
    (batch,) = batches_of(ppo, rollout, rollout.rewards)
    return ppo._losses(batch)[0]


def gradients_of(table: GradientsConfig, **settings) -> dict[str, torch.Tensor]:
    """All gradients of each part after one batch, as one vector; zeros where there is none."""
    model = make_model(table, **settings)
    torch.manual_seed(1)
    backward(losses_of(model), table, model.parts())
    return {
        part: torch.cat([
            torch.zeros(one.numel()) if one.grad is None else one.grad.flatten()
            for one in parameters
        ])
        for part, parameters in model.parts().items()
    }  # fmt: skip


def subsets(parts: tuple[str, ...]) -> list[tuple[str, ...]]:
    sizes = range(len(parts) + 1)
    return [chosen for size in sizes for chosen in itertools.combinations(parts, size)]


ALONE = [(loss, chosen) for loss in LOSSES for chosen in subsets(getattr(DEFAULT, loss))]
"""Every loss by itself with every set of parts that it may train."""


@pytest.mark.parametrize(("loss", "trained"), ALONE)
def test_a_loss_trains_the_parts_of_its_row_and_the_others_get_exact_zeros(
    loss: str, trained: tuple[str, ...]
):
    found = gradients_of(replace(NOTHING, **{loss: trained}))
    for part, gradient in found.items():
        assert bool(gradient.any()) == (part in trained), part


def test_the_gradients_of_any_table_are_the_sums_of_those_of_its_rows():
    rng = np.random.default_rng(0)
    rows = {(loss, of): gradients_of(replace(NOTHING, **{loss: of})) for loss, of in ALONE}
    tables = list(itertools.product(*(subsets(getattr(DEFAULT, loss)) for loss in LOSSES)))
    for chosen in rng.permutation(len(tables))[:40]:
        table = dict(zip(LOSSES, tables[chosen], strict=True))
        for part, gradient in gradients_of(GradientsConfig(**table)).items():
            wanted = sum(rows[row][part] for row in table.items())
            torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "table",
    [DEFAULT, replace(DEFAULT, policy=("actor",), entropy=("actor",), value=("critic",))],
)
def test_where_one_pass_does_it_the_gradients_are_those_of_one_pass(table: GradientsConfig):
    assert table.is_one_pass
    found = gradients_of(table)
    model = make_model(table)
    torch.manual_seed(1)
    torch.stack(list(losses_of(model).values())).sum().backward()
    for part, parameters in model.parts().items():
        own = torch.cat([one.grad.flatten() for one in parameters])
        assert torch.equal(found[part], own)


def test_the_parts_are_all_of_the_network():
    model = make_model(DEFAULT)
    parts = [id(one) for parameters in model.parts().values() for one in parameters]
    assert sorted(parts) == sorted(id(one) for one in model.parameters())


EXPERTS = ("expert_1", "expert_2")


@pytest.mark.parametrize("loss", ["policy", "value", "entropy", "reconstruction"])
@pytest.mark.parametrize("expert", EXPERTS)
def test_a_loss_may_train_one_expert_alone(loss: str, expert: str):
    found = gradients_of(replace(NOTHING, **{loss: (expert,)}), experts=2)
    assert {part for part in EXPERTS if found[part].any()} == {expert}
    assert found["encoder"].count_nonzero() == found[expert].count_nonzero()  # it is a part of it
    assert not any(found[part].any() for part in ("actor", "critic", "decoder"))


def test_the_gradients_of_experts_are_those_of_the_whole_encoder():
    one_pass, apart = (
        gradients_of(replace(DEFAULT, value=value), experts=2)
        for value in (DEFAULT.value, (*DEFAULT.value, *EXPERTS))
    )
    for part, gradient in one_pass.items():
        torch.testing.assert_close(apart[part], gradient, rtol=1e-4, atol=1e-7)
    assert all(one_pass[part].any() for part in EXPERTS)


def test_an_expert_that_is_not_there_is_refused_with_those_that_are():
    table = replace(DEFAULT, policy=("actor", "expert_3"))
    told = r"experts that there are \(expert_1, expert_2 with experts 2\), got expert_3"
    with pytest.raises(ValueError, match=told):
        ActorCriticConfig(gradients=table, experts=2)
    with pytest.raises(ValueError, match=r"\(none with experts 1\), got expert_3"):
        ActorCriticConfig(gradients=table)


def test_the_table_is_a_flag_and_a_wrong_part_is_refused_with_those_that_there_are(capsys):
    config, _ = parse(["--model.gradients.policy", "actor", "--model.gradients.value"])
    assert config.model.gradients.policy == ("actor",)
    assert config.model.gradients.value == ()
    with pytest.raises(SystemExit, match="2"):
        parse(["--model.gradients.policy", "decoder"])
    told = capsys.readouterr().err
    assert "decoder" in told
    assert "encoder" in told
    assert "actor" in told
