"""What an evaluation says, as JSON."""

from collections.abc import Sequence
from typing import Any

from envs import EnvConfig, Game
from evaluation.games import PlayedGame
from evaluation.statistics import explain, summarize
from experiment.run_statistics import RunStatistics
from settings import to_json

Report = dict[str, Any]


def report(
    played: Sequence[PlayedGame],
    game: Game,
    protocol: EnvConfig,
    name: str,
    checkpoint: str,
    seed: int,
    seconds: float,
    statistics: RunStatistics,
) -> Report:
    """An evaluation as the JSON object that ``train.py`` and ``evaluate.py`` write.

    Args:
        played: At least one whole game.
        game: Which game it was; gives the scale between random play and a human.
        protocol: Under which it was played.
        name: Name of the agent.
        checkpoint: Digest of its checkpoint.
        seed: Seed of the games.
        seconds: How long the games took.
        statistics: Statistics of the agent's training.

    Returns:
        ``name``, ``checkpoint``, ``protocol`` (fields of ``EnvConfig``), ``episodes`` (number of
        games), ``truncated`` (how many of them the protocol's limit ended), ``seed``,
        ``seconds`` (of playing),
        ``steps`` and ``train_seconds`` (agent steps and time for which the policy was trained),
        ``artifact_recall`` and ``artifact_ghost_rate`` (live figures over the last updates of the
        training, None without artifacts), ``scores``, ``lengths`` (agent steps), ``facts`` of each
        game, ``explained`` (see ``explain``), ``human_normalized`` (0 is random play, 1 a human)
        and the keys of ``summarize``.
    """
    scores = [one.score for one in played]
    facts = [dict(one.facts) for one in played]
    summary = summarize(scores)
    return {
        "name": name,
        "checkpoint": checkpoint,
        "protocol": to_json(protocol),
        "episodes": len(played),
        "truncated": sum(one.truncated for one in played),
        "seed": seed,
        "seconds": seconds,
        "steps": statistics.steps,
        "train_seconds": statistics.seconds,
        **statistics.final_fidelity(),
        "scores": scores,
        "lengths": [one.length for one in played],
        "facts": facts,
        "explained": explain(facts),
        **summary,
        "human_normalized": game.human_normalized(summary["mean"]),
    }
