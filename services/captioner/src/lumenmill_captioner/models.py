"""Models of the family `vision_language` and its settings, without the libraries that run them."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.weights import ServiceModels

__all__ = ["BACKBONES", "MODELS", "AestheticName", "VisionLanguageSettings"]

AestheticName = Literal["v1", "v2", "v2_5"]
BACKBONES: dict[AestheticName, str] = {"v1": "clip", "v2": "clip", "v2_5": "siglip"}
"""Part of the model that an aesthetic head needs."""


class VisionLanguageSettings(CaptionerSettings, NeuralSettings):
    """Those of the captioner and of every service with a neural model, and these."""

    aesthetic_heads: dict[AestheticName, Path] = Field(
        default_factory=dict,
        description='Weights of aesthetic heads as JSON: {"v2": "/models/sac+logos+ava1-l14-linearMSE.pth"}; '
        "their backbones are the parts `clip` and `siglip` of the model.",
    )


def _unused_parts(settings: VisionLanguageSettings) -> set[str]:
    return set(BACKBONES.values()) - {BACKBONES[name] for name in settings.aesthetic_heads}


MODELS = ServiceModels(VisionLanguageSettings, lambda settings: read_catalogue("lumenmill_captioner"), _unused_parts)
