"""Who may change the encoder: the one place where gradients are stopped."""

from typing import Literal

from torch import Tensor

EncoderGradients = Literal["joint", "reconstruction"]
"""Which losses train the encoder: all of them, or the reconstruction alone."""


def branch_features(latent: Tensor, encoder_gradients: EncoderGradients) -> Tensor:
    """What actor and critic read of a latent.

    Under ``joint`` their losses train the encoder through it. Under ``reconstruction`` no gradient
    of policy or value passes this function.

    Args:
        latent: (B, Z), of the encoder.
        encoder_gradients: Which losses train the encoder.

    Returns:
        (B, Z), the same numbers.
    """
    return latent if encoder_gradients == "joint" else latent.detach()
