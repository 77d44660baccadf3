"""Where a file of weights is: on this machine, or on the Hugging Face Hub."""

from pathlib import Path

from experiment.command_line import install_command
from experiment.errors import UserError

HUB = "hf://"
"""What a name on the Hub begins with; OWNER/NAME/FILE follows."""


def weights_file(name: str) -> Path:
    """A file on this machine; one on the Hub is downloaded if its cache lacks it.

    Raises:
        UserError: If there is no such file, or the Hub cannot be asked.
    """
    if not name.startswith(HUB):
        if not Path(name).is_file():
            raise UserError(f"backbone_weights must be a file, got {name}")
        return Path(name)
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportUnknownVariableType]
    except ImportError as error:
        raise UserError(f"{name} needs huggingface_hub: {install_command('interop')}") from error
    owner, _, rest = name.removeprefix(HUB).partition("/")
    repository, _, file = rest.partition("/")
    if not (owner and repository and file):
        raise UserError(f"backbone_weights must be {HUB}OWNER/NAME/FILE, got {name}")
    try:
        return Path(hf_hub_download(f"{owner}/{repository}", file))
    except Exception as error:  # of the network, the Hub or its cache
        raise UserError(f"{name} cannot be had: {error}") from error
