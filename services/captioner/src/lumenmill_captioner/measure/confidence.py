"""Calibrated confidence: of claims of confidence c a part c is right.

Right is a direction within 15° and a temperature within 300 K of the light that arrived. The constants are of the fit
that `benchmarks/fit_confidence.py` makes on renders of all kinds of scene and light; docs/truth.md has the curve of
confidence against being right.
"""

import math
from collections.abc import Sequence

import numpy as np

from lumenmill_captioner.measure.key_fit import KeyFit
from lumenmill_captioner.measure.source_search import Found
from lumenmill_light.axes import Vector

__all__ = [
    "MIN_DIRECTION_CONFIDENCE",
    "MIN_TEMPERATURE_CONFIDENCE",
    "direction_features",
    "found_confidence",
    "key_confidence",
    "temperature_confidence",
    "temperature_features",
]

# Claims of less confidence are left out.
MIN_DIRECTION_CONFIDENCE, MIN_TEMPERATURE_CONFIDENCE = 0.65, 0.75

# Logistic regression: an intercept, then a weight for each feature.
_DIRECTION = (-0.135, 1.312, -0.415, -1.496, 0.619, 0.416, -0.072, -0.577)
_TEMPERATURE = (0.902, -0.482, -0.377, -1.116)
# Part of directions that are right where only normals are known, by the confidence of the fit itself.
_KEY_CONFIDENCES, _KEY_RIGHT = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95), (0.0, 0.1, 0.38, 0.4, 0.56, 0.78, 0.95)


def direction_features(found: Found, key: KeyFit | None, direction: Vector) -> Vector:
    """Return what the confidence of a direction depends on, (7,).

    Args:
        found: the source that was found with its shadows.
        key: the source that normals alone show, which agrees with it or not.
        direction: unit vector (3,) towards the found source in the level frame, as that of the key.
    """
    apart_deg = 90.0
    if key is not None:
        apart_deg = min(math.degrees(math.acos(float(np.clip(key.direction @ direction, -1.0, 1.0)))), 90.0)
    return np.array(
        [
            found.improvement,
            math.log(found.spread_deg + 8.0) - 3.5,
            apart_deg / 90.0,
            key.confidence if key else 0.0,
            math.log(found.base + 0.1),
            math.log(min(max(found.strength, 0.05), 8.0)),
            float(found.is_broad),
        ]
    )


def found_confidence(features: Vector) -> float:
    """Return the confidence in a direction that was found with its shadows, 0 to 1."""
    return _logistic(_DIRECTION, features)


def key_confidence(key: KeyFit) -> float:
    """Return the confidence in a direction that follows from normals alone, 0 to 1."""
    return float(np.interp(key.confidence, _KEY_CONFIDENCES, _KEY_RIGHT))


def temperature_features(spreads_k: Sequence[float], temperature_k: float) -> Vector:
    """Return what the confidence of a temperature depends on: one number for each spread, and one for the temperature.

    Args:
        spreads_k: differences of estimates of the temperature.
        temperature_k: the estimate. The higher it is, the less the colour changes within 300 K.
    """
    apart = np.log(np.clip(spreads_k, 20.0, 5000.0)) - 5.0
    return np.append(apart, math.log(temperature_k / 5000.0))


def temperature_confidence(features: Vector) -> float:
    """Return the confidence in a temperature that follows from shading, 0 to 1."""
    return _logistic(_TEMPERATURE, features)


def _logistic(weights: tuple[float, ...], features: Vector) -> float:
    return float(1.0 / (1.0 + np.exp(-(weights[0] + np.dot(weights[1:], features)))))
