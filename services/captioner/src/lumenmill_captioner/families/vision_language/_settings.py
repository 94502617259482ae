"""Settings of the family, from the environment."""

from pathlib import Path
from typing import Literal

from lumenmill_neural.settings import NeuralSettings
from pydantic import Field

from lumenmill_captioner.settings import CaptionerSettings

AestheticName = Literal["v1", "v2", "v2_5"]


class VisionLanguageSettings(CaptionerSettings, NeuralSettings):
    """Those of the captioner and of every service with a neural model, and these."""

    aesthetic_heads: dict[AestheticName, Path] = Field(
        default_factory=dict,
        description='Weights of aesthetic heads as JSON: {"v2": "/models/sac+logos+ava1-l14-linearMSE.pth"}; '
        "their backbones are the parts `clip` and `siglip` of the model.",
    )
