"""The small-artifact autoencoder: network, detector, weighted loss and what is lost."""

from encoders.artifact_weights import (
    ArtifactWeightsConfig,
    ReconstructionLoss,
    artifact_weights,
    pixel_weights,
    weighted_mse,
)
from encoders.artifacts import ArtifactDetector, ArtifactDetectorConfig, Detector
from encoders.autoencoder import Autoencoder, AutoencoderConfig, AutoencoderLoss
from encoders.decoder import Decoder, DecoderConfig, outer_product_loss
from encoders.encoder import Encoder, EncoderConfig
from encoders.foreground import ForegroundDetector
from encoders.locator import Locator, LocatorConfig
from encoders.normalizer import Normalizer
from encoders.perturbation import PerturbationConfig, perturb
from encoders.regions import RegionFinder, make_finder
from encoders.sprites import Sprites
from encoders.tracks import Points

__all__ = [
    "ArtifactDetector",
    "ArtifactDetectorConfig",
    "ArtifactWeightsConfig",
    "Autoencoder",
    "AutoencoderConfig",
    "AutoencoderLoss",
    "Decoder",
    "DecoderConfig",
    "Detector",
    "Encoder",
    "EncoderConfig",
    "ForegroundDetector",
    "Locator",
    "LocatorConfig",
    "Normalizer",
    "PerturbationConfig",
    "Points",
    "ReconstructionLoss",
    "RegionFinder",
    "Sprites",
    "artifact_weights",
    "make_finder",
    "outer_product_loss",
    "perturb",
    "pixel_weights",
    "weighted_mse",
]
