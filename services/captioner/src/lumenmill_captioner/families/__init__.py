"""Families that keep the captioner contract: one module or package for each."""

from ._family import Family
from .photometric import PhotometricFamily

__all__ = ["Family", "PhotometricFamily"]
