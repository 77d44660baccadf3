"""A smaller network that plays: removes the units of a trained one that add least.

The file holds weights alone. ``evaluate.py`` plays it; no training can go on from it.

Example:
    python -m tools.prune runs/kung_fu_master --share 0.25 --output pruned.safetensors
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from experiment.command_line import check_output, exit_code
from experiment.pruned_agent import write_pruned_agent
from experiment.trained_agent import load_agent
from monitoring.console import make_console
from settings import Checked, Within


@dataclass(frozen=True)
class PruneConfig(Checked):
    """Remove the units of a trained network that add least."""

    agent: tyro.conf.Positional[Path]
    """Run or checkpoint."""
    output: Path
    """File for the smaller network."""
    share: Annotated[float, Within(0, 0.99)] = 0.25
    """What is removed of each layer."""


def main() -> None:
    """Prune, write the file and say how much smaller it is."""
    config = tyro.cli(PruneConfig)
    check_output(config.output, "output")
    agent = load_agent(config.agent)
    before = sum(value.numel() for value in agent.model.state_dict().values())
    after = write_pruned_agent(agent, config.share, config.output)
    make_console().print(
        f"wrote {config.output}: {after:,} numbers, {after / before:.0%} of before"
    )


if __name__ == "__main__":
    sys.exit(exit_code(main))
