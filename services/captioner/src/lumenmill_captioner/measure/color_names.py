"""Plain English names of colours, by their OKLab values."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["color_name"]

# Bounds of hue in degrees of OKLab and the name of each, for colours of middle lightness.
_HUES = (
    (12.0, "pink"),
    (42.0, "red"),
    (66.0, "orange"),
    (88.0, "ochre"),
    (116.0, "yellow"),
    (134.0, "yellow-green"),
    (160.0, "green"),
    (186.0, "sea green"),
    (215.0, "teal"),
    (240.0, "sky blue"),
    (276.0, "blue"),
    (305.0, "violet"),
    (335.0, "purple"),
    (352.0, "magenta"),
    (360.0, "pink"),
)


def color_name(lab: NDArray[np.float64]) -> str:
    """Return the name of an OKLab colour: "dark blue", "pale ochre", "grey", "near black"."""
    lightness, chroma = float(lab[0]), math.hypot(float(lab[1]), float(lab[2]))
    if chroma < 0.02:
        return _grey(lightness)
    if lightness < 0.2:
        return "near black"
    hue = math.degrees(math.atan2(float(lab[2]), float(lab[1]))) % 360.0
    name = next(name for bound, name in _HUES if hue <= bound)
    if name in {"red", "orange", "ochre"} and lightness < 0.58 and chroma < 0.14:
        return "dark brown" if lightness < 0.38 else "brown"
    if name in {"orange", "ochre", "yellow"} and chroma < 0.075 and lightness >= 0.58:
        return "cream" if lightness > 0.86 else "beige"
    if chroma < 0.045:
        return f"{_shade(lightness)}greyish {name}"
    return f"{_shade(lightness)}{name}"


def _shade(lightness: float) -> str:
    return "dark " if lightness < 0.42 else "pale " if lightness > 0.82 else ""


def _grey(lightness: float) -> str:
    bounds = ((0.2, "near black"), (0.42, "dark grey"), (0.68, "grey"), (0.9, "light grey"), (math.inf, "white"))
    return next(name for bound, name in bounds if lightness < bound)
