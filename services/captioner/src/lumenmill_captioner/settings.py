"""Settings of the captioner, from the environment."""

from enum import StrEnum

from pydantic import Field

from lumenmill_common.settings import ServiceSettings
from lumenmill_media import Limits

__all__ = ["CaptionerSettings", "FamilyName"]


class FamilyName(StrEnum):
    """Which family serves the contract."""

    PHOTOMETRIC = "photometric"
    VISION_LANGUAGE = "vision_language"


class CaptionerSettings(ServiceSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    family: FamilyName = Field(
        default=FamilyName.PHOTOMETRIC,
        description="What writes captions: measurement alone, or a vision-language model checked by it.",
    )
    max_media_bytes: int = Field(default=256 << 20, ge=1 << 10, description="Largest image file, in bytes.")
    max_media_pixels: int = Field(default=64_000_000, ge=1 << 10, description="Most pixels of an image or frame.")
    measured_side_px: int = Field(
        default=512, ge=64, le=4096, description="Longer side, in pixels, at which pictures are measured."
    )
    num_clip_samples: int = Field(default=8, ge=2, le=64, description="Frames of a clip that are measured.")

    def limits(self) -> Limits:
        """Return the limits on media."""
        return Limits(self.max_media_bytes, self.max_media_pixels, self.measured_side_px)
