"""What a training leaves open is found in random play before it begins."""

from dataclasses import replace

from agent.threads import in_parallel
from envs import find_play_area, find_reward_scale, is_known, play_randomly
from experiment.config import TrainConfig


def complete(config: TrainConfig) -> TrainConfig:
    """The config with play area and reward scale, which the game's entry or random play tells."""
    no_area = not config.env.play_area and not is_known(config.env.game)
    if not no_area and config.ppo.reward_scale:
        return config
    seed = config.game_seed(0)
    (play,) = in_parallel([lambda _: play_randomly(config.env, seed)])
    if no_area:
        config = replace(config, env=replace(config.env, play_area=find_play_area(play)))
    if not config.ppo.reward_scale:
        config = replace(config, ppo=replace(config.ppo, reward_scale=find_reward_scale(play)))
    return config
