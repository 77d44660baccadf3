"""An exported policy: the same numbers, through a directory and back."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from huggingface_hub import ModelCard

from agent.actor_critic import ActorCritic
from encoders import make_finder
from envs import KUNG_FU_MASTER as GAME
from envs import Game, SingleEnv
from experiment.checkpoint import Checkpoint
from experiment.config import TrainConfig
from experiment.run_statistics import RunStatistics
from experiment.trained_agent import TrainedAgent
from interop.model_card import model_card
from interop.policy import ExportedPolicy, PolicyOutput, export_policy
from tests.interop.exported import (
    ENV,
    EVALUATION,
    PROJECTION,
    exported_policy,
    real_gauges,
    real_observations,
)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything looks up a host."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("network was used"))


@pytest.mark.parametrize("count", [1, 17])
@torch.no_grad()
def test_it_says_what_the_actor_critic_says(count: int):
    policy, obs = exported_policy(), real_observations(40)[-count:]
    gauges = real_gauges(40)[-count:]
    net = policy.network
    expected, found = net(obs, gauges), policy(obs, gauges)
    torch.testing.assert_close(found.probabilities, expected.policy.probs)
    torch.testing.assert_close(found.value, expected.value)
    torch.testing.assert_close(found.latent, expected.latent)
    autoencoder = net.autoencoder
    std, mean = autoencoder.normalizer.std, autoencoder.normalizer.mean
    drawn = autoencoder.decode(expected.latent) * std + mean
    torch.testing.assert_close(found.reconstruction, drawn.clamp(0, 255), rtol=0, atol=0.01)
    assert (
        found.reconstruction.round() - autoencoder.reconstruct(obs)
    ).abs().max() <= 1  # of 255 levels
    assert all(part.dtype == torch.float32 for part in found)


@torch.no_grad()
def test_bfloat16_of_the_training_does_not_follow_it(monkeypatch):
    # What acts in other software must not depend on the processor; here every one has bfloat16.
    monkeypatch.setattr("encoders.autoencoder.has_bfloat16", lambda _: True)
    original, obs = exported_policy(), real_observations(40)
    gauges = real_gauges(40)
    float32 = original.config.model
    config = replace(float32, autoencoder=replace(float32.autoencoder, bfloat16=True))
    trained = ActorCritic(GAME.obs_shape, GAME.num_actions, config, GAME.gauge_names)
    trained.load_state_dict(original.network.state_dict())
    expected = original(obs, gauges)
    assert not torch.equal(trained(obs, gauges).latent, expected.latent)  # it rounds

    policy = export_policy(trained_agent(trained), None)
    assert policy.config.model == float32
    assert all(
        torch.equal(one, two) for one, two in zip(policy(obs, gauges), expected, strict=True)
    )


def trained_agent(model: ActorCritic) -> TrainedAgent:
    """What ``load_agent`` would make of a checkpoint of this model."""
    config = TrainConfig(env=ENV, model=model.config)
    checkpoint = Checkpoint(Path("a.safetensors"), "digest", {}, {})
    finder = make_finder(config.detector)
    return TrainedAgent(checkpoint, config, model, PROJECTION, finder, RunStatistics())


@torch.no_grad()
def test_its_policy_is_not_indifferent_so_that_these_tests_mean_something():
    found = exported_policy()(real_observations(40), real_gauges(40))
    torch.testing.assert_close(found.probabilities.sum(dim=1), torch.ones(40))
    assert found.probabilities.max() > 0.3
    assert (found.reconstruction.min(), found.reconstruction.max()) == (0, 255)
    for part in found:
        assert part.std(dim=0).max() > 0.01


@pytest.mark.usefixtures("no_network")
@torch.no_grad()
def test_through_a_directory_and_back_not_a_bit_changes(tmp_path: Path):
    policy, obs = exported_policy(), real_observations(40)
    gauges = real_gauges(40)
    policy.save_pretrained(tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {
        "README.md", "config.json", "model.safetensors"
    }  # fmt: skip
    again = ExportedPolicy.from_pretrained(tmp_path / "saved")
    assert again.config == policy.config
    assert not again.training
    assert again.state_dict().keys() == policy.state_dict().keys()
    for one, two in zip(policy(obs, gauges), again(obs, gauges), strict=True):
        assert torch.equal(one, two)
    # And from there on, byte by byte.
    again.save_pretrained(tmp_path / "again")
    for path in (tmp_path / "saved").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@torch.no_grad()
def test_a_name_on_the_hub_does_as_well(tmp_path: Path, monkeypatch):
    # The Hub is a directory here: only its download is replaced.
    policy, obs = exported_policy(), real_observations(40)
    gauges = real_gauges(40)
    policy.save_pretrained(tmp_path)

    def download(repo_id: str, filename: str, **_: object) -> str:
        assert repo_id == "somebody/knifesight"
        return str(tmp_path / filename)

    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", download)
    again = ExportedPolicy.from_pretrained("somebody/knifesight")
    assert torch.equal(again(obs, gauges).probabilities, policy(obs, gauges).probabilities)


@pytest.mark.usefixtures("no_network")
def test_weights_that_are_not_whole_are_refused(tmp_path: Path):
    exported_policy().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    del tensors["network.actor.hidden.weight"]
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(RuntimeError, match=r"network\.actor\.hidden\.weight"):
        ExportedPolicy.from_pretrained(tmp_path)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("env", "frameskip"), 4.5, "env.frameskip cannot be 4.5"),
        (("env", "frameskip"), 0, "frameskip must be from 1 to 60, got 0"),
        (("model", "autoencoder", "depth"), 3, "model.autoencoder.depth is unknown"),
        (("game", "title"), None, "game.title"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    tmp_path: Path, path: tuple[str, ...], value: object, message: str
):
    exported_policy().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    whole = json.loads(file.read_text())
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(whole))
    with pytest.raises(ValueError, match=re.escape(message)):
        ExportedPolicy.from_pretrained(tmp_path)


def test_the_card_says_what_the_hub_reads(tmp_path: Path):
    exported_policy().save_pretrained(tmp_path)
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.license, data.library_name) == ("mit", "knifesight")
    assert data.pipeline_tag == "reinforcement-learning"
    assert {"reinforcement-learning", "atari", "kung-fu-master"} <= set(data.tags)
    (result,) = data.eval_results
    assert data.model_name == "Knifesight PPO"
    assert (result.task_type, result.metric_type) == ("reinforcement-learning", "mean_reward")
    assert result.dataset_type == "knifesight/KungFuMaster-v0"
    assert result.metric_value == "32357.00 +/- 8901.25"


def test_the_card_says_what_a_reader_wants_to_know():
    text = " ".join(exported_policy().generate_model_card().text.split())
    for part in (
        "In 30 whole games (seed 7,", "mean raw score was **32,357**",
        "from 29,343 to 35,490 and a standard deviation of 8,901",
        "- agent steps: 1,500,000 - minutes: 8.8 - seed: 3 -",
        "score times 0.01, cut to -1.0 to 10.0", "weight of small things: 20,", "93.8 % of the",
        "the last 15 units say of 3 small things", "have units of their own, or else weigh more",
        "agent step: 4 -", "repeated: 0.25 -", "at most: 400 ",
    ):  # fmt: skip
        assert part in text
    assert not re.search(r"[{}]{2}|{%", text)  # nothing of the template is left


def test_the_card_says_what_help_there_was():
    policy = exported_policy()
    training = policy.config.training
    at_once = replace(training, credit=replace(training.credit, damage_warm_up=0.0))
    for facts, costs in (
        (training, "30, less in the first 30 % of the training, taking"),
        (at_once, "30, taking"),
    ):
        card = ExportedPolicy(replace(policy.config, training=facts)).generate_model_card()
        text = " ".join(card.text.split())
        assert f"losing all health to enemies costs {costs} all energy of a boss pays 60," in text
        assert "walking through a stage pays 40 " in text


def test_the_card_of_a_policy_that_was_not_judged_has_no_score():
    policy = exported_policy(None)
    training = replace(policy.config.training, artifact_recall=None)
    card = ExportedPolicy(replace(policy.config, training=training)).generate_model_card()
    assert card.data.eval_results is None
    assert "model-index" not in card.data.to_dict()
    assert "has not been judged" in card.text
    assert "kept by the reconstruction" not in card.text


def test_the_card_of_another_game_says_nothing_of_this_one():
    game = Game(
        title="River Raid",
        rom="river_raid",
        ale_id="ALE/Riverraid-v5",
        env_id="knifesight/RiverRaid-v0",
        rows=(20, 100),
        columns=(16, 152),
        random_score=1_338.5,
        human_score=17_118.0,
        score_source="a table of its own",
    )
    card = model_card(
        replace(exported_policy().config, game=game, screen=(250, 152), num_actions=18)
    )
    text = " ".join(card.text.split())
    for part in (
        "# Knifesight: River Raid", "for Atari River Raid whose",
        "A human scores 17,118, random play 1,338.5 (a table of its own).",
        '"envs:knifesight/RiverRaid-v0",',
        "(batch, 4, 80, 136): the game", "native screen, 250 x 152 RGB",
        "rows 20 to 99 and columns 16 to 151,",
        "| `probabilities` | (batch, 18) | of the actions of `ALE/Riverraid-v5` |",
        "| `reconstruction` | (batch, 4, 80, 136) |",
    ):  # fmt: skip
        assert part in text
    assert "river-raid" in card.data.tags
    assert "knifesight/RiverRaid-v0" in card.data.tags
    (result,) = card.data.eval_results
    assert (result.dataset_type, result.dataset_name) == (game.env_id, game.env_id)
    ours = r"kung.?fu|\b(210|160|144|14|96|159|22,736|258\.5)\b|Wang|henchm|knife\b|knives"
    assert not re.search(ours, str(card), re.IGNORECASE)


def test_who_follows_the_card_makes_the_observations_of_the_game():
    text = " ".join(exported_policy().generate_model_card().text.split())
    rows, columns = GAME.play_area
    for part in (
        f"native screen, {GAME.screen[0]} x {GAME.screen[1]} RGB",
        f"rows {rows.start} to {rows.stop - 1} and columns {columns.start} to {columns.stop - 1}",
        "| background: 66, 72, 200; 180, 122, 48 | 128 |",
        "| small things that fly alone: 74, 74, 74 | 255 |",
        "| any other | 68 x (red + 2 x green) / 765, rounded |",
    ):
        assert part in text
    env, rng = SingleEnv(PROJECTION), np.random.default_rng(0)
    env.reset(seed=0)
    for _ in range(200):
        obs = env.step(rng.integers(GAME.num_actions))[0]
        screen = env.render()[96:160, 8:152].astype(int)
        levels = np.rint(68 * (screen[..., 0] + 2 * screen[..., 1]) / 765)
        for colours, level in (([(66, 72, 200), (180, 122, 48)], 128), ([(74, 74, 74)], 255)):
            for colour in colours:
                levels[(screen == colour).all(axis=-1)] = level
        np.testing.assert_array_equal(obs[-1], levels)
    assert set(np.unique(obs)) > {128}


@pytest.mark.usefixtures("no_network")
def test_the_code_on_the_card_plays_a_game(tmp_path: Path, monkeypatch, capsys):
    exported_policy().save_pretrained(tmp_path)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    played: dict[str, object] = {}
    exec(code, played)
    assert re.search(r"score: \d+\n$", capsys.readouterr().out)
    assert played["truncated"]  # after ENV's 400 frames: it plays under the policy's protocol
    game = played["game"].unwrapped
    assert (game.config, game.projection) == (ENV, PROJECTION)
    assert isinstance(played["output"], PolicyOutput)


def test_its_network_is_an_actor_critic_for_whoever_wants_to_train_on():
    policy = exported_policy()
    assert isinstance(policy.network, ActorCritic)
    assert policy.config.evaluation == EVALUATION
    assert all(parameter.requires_grad for parameter in policy.parameters())
