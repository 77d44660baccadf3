"""The small-artifact autoencoder: network, detector, weighted loss and what is lost."""

from encoders.artifact_weights import (
    ArtifactWeightsConfig,
    ReconstructionLoss,
    artifact_weights,
    pixel_weights,
    weighted_mse,
)
from encoders.artifacts import ArtifactDetector, ArtifactDetectorConfig
from encoders.autoencoder import Autoencoder, AutoencoderConfig
from encoders.decoder import Decoder, DecoderConfig, outer_product_loss
from encoders.encoder import Encoder, EncoderConfig
from encoders.normalizer import Normalizer

__all__ = [
    "ArtifactDetector",
    "ArtifactDetectorConfig",
    "ArtifactWeightsConfig",
    "Autoencoder",
    "AutoencoderConfig",
    "Decoder",
    "DecoderConfig",
    "Encoder",
    "EncoderConfig",
    "Normalizer",
    "ReconstructionLoss",
    "artifact_weights",
    "outer_product_loss",
    "pixel_weights",
    "weighted_mse",
]
