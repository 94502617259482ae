"""The `photometric` family: measures instead of guessing."""

from ._family import PhotometricFamily

__all__ = ["PhotometricFamily"]
