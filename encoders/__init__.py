"""The small-artifact autoencoder: network, detector and weighted loss."""

from encoders.artifacts import ArtifactDetector, ArtifactDetectorConfig
from encoders.autoencoder import Decoder, Encoder, EncoderConfig, Normalizer, channels_last
from encoders.losses import (
    ArtifactWeightsConfig,
    artifact_weights,
    outer_product_loss,
    pixel_weights,
    weighted_mse,
)

__all__ = [
    "ArtifactDetector",
    "ArtifactDetectorConfig",
    "ArtifactWeightsConfig",
    "Decoder",
    "Encoder",
    "EncoderConfig",
    "Normalizer",
    "artifact_weights",
    "channels_last",
    "outer_product_loss",
    "pixel_weights",
    "weighted_mse",
]
