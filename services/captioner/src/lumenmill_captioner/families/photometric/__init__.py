"""The `photometric` family: measures instead of guessing."""

from ._family import PhotometricFamily
from ._subject import is_clip

__all__ = ["PhotometricFamily", "is_clip"]
