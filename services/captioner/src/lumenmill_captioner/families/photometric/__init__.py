"""The `photometric` family: measures instead of guessing."""

from lumenmill_captioner.families.photometric.family import PhotometricFamily
from lumenmill_captioner.families.photometric.subject import is_clip

__all__ = ["PhotometricFamily", "is_clip"]
