"""A policy as the directory that the Hugging Face Hub takes."""

from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors import SafetensorError

from experiment.files import SaveError
from interop.policy import ExportedPolicy


def write_directory(policy: ExportedPolicy, path: Path) -> None:
    """Write a policy's directory, whole or not at all.

    Raises:
        SaveError: If it cannot be written.
    """
    try:
        with TemporaryDirectory(prefix=f".{path.name}", dir=path.parent) as temporary:
            written = Path(temporary) / path.name
            policy.save_pretrained(written)
            written.rename(path)
    except (OSError, SafetensorError) as error:
        raise SaveError(f"{path} cannot be written: {error}") from error
