"""The `photometric` family: measures instead of guessing."""

from lumenmill_captioner.families.photometric.family import PhotometricFamily, arrived_light, contradictions_of
from lumenmill_captioner.families.photometric.subject import is_clip
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.artifacts import open_store_from

__all__ = ["PhotometricFamily", "arrived_light", "contradictions_of", "is_clip", "photometric_family"]


def photometric_family(settings: CaptionerSettings) -> PhotometricFamily:
    """Return the family with the limits of the settings."""
    return PhotometricFamily(open_store_from(settings), settings.limits(), settings.num_clip_samples)
