"""How bright the lights of sets are, on the camera's side and facing their keys."""

import math

__all__ = ["LEVEL", "key_irradiance", "relative_level_ev"]

LEVEL = 0.4 * math.pi
"""Camera-side irradiance of a set's own light: that of a lamp of irradiance π, high in front."""
# Stops that a key may differ from irradiance π at that level, to look as bright from where it stands.
_MIN_KEY, _MAX_KEY = 2.0**-1.1, 2.0**1.6


def key_irradiance(level: float, share: float) -> tuple[float, float]:
    """Return the irradiance of a light of which `share` falls on the camera's side, and its camera-side irradiance."""
    usual = math.pi * level / LEVEL
    irradiance = min(max(level / share, usual * _MIN_KEY), usual * _MAX_KEY)
    return irradiance, irradiance * share


def relative_level_ev(value: float) -> float:
    """Spread [0, 1) over stops from the picture that a set starts from: a fifth clearly dimmer, a fifth brighter."""
    if value < 0.2:
        return -2.2 + 5.0 * value
    return 0.8 + 2.5 * (value - 0.8) if value >= 0.8 else -0.4 + 1.2 * (value - 0.2) / 0.9
