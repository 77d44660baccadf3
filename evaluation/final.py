"""The end of a training: what is said, and its final evaluation."""

from rich.console import Console

from evaluation.evaluate_agent import evaluate_agent
from evaluation.tables import show
from experiment.checkpoint import CheckpointError
from experiment.command_line import evaluate_command, resume_command
from experiment.config import TrainConfig
from experiment.files import SaveError
from experiment.run_directory import RunDirectory
from experiment.run_statistics import RunStatistics
from experiment.trained_agent import load_agent
from monitoring.console import describe_training


def finish(
    config: TrainConfig,
    statistics: RunStatistics,
    run: RunDirectory,
    console: Console,
    *,
    judge: bool,
) -> dict[str, float]:
    """Say how to go on; evaluate a complete training and keep the report.

    Args:
        config: Of the training.
        statistics: Of the run.
        run: Its directory, with its last checkpoint.
        console: For what is said.
        judge: Whether a complete training is to be evaluated.

    Raises:
        SaveError: If the evaluation cannot be written, or its checkpoint is gone.

    Returns:
        What came out, by name; nothing if the training is not complete.
    """
    steps, minutes, resume = statistics.steps, statistics.seconds / 60, resume_command(run.path)
    if steps < config.total_steps:
        console.print(f"stopped at {steps:,} steps, saved {run.newest}\nto go on: {resume}")
        return {}
    fidelity = statistics.final_fidelity()
    console.print(describe_training(steps, minutes, run.newest, fidelity))
    final = {"minutes": minutes, "steps": float(steps)}
    final |= {name: value for name, value in fidelity.items() if value is not None}
    if config.evaluation_games and judge:
        console.print(f"playing {config.evaluation_games} whole games ...")
        try:
            agent = load_agent(run.path)
        except CheckpointError as error:  # somebody has deleted it meanwhile
            raise SaveError(f"no evaluation: {error}") from error
        report = evaluate_agent(agent, str(run.path), config.evaluation_games)
        run.write_evaluation(report)
        show([report])
        final |= {"score": report["mean"], "score_median": report["median"]}
    console.print(
        f"to train longer: {resume} --total-steps {2 * steps}\n"
        f"to watch it play: {evaluate_command(run.path)}"
    )
    return final
