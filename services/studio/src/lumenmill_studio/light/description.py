"""Describe lights in words, from their sources."""

from collections.abc import Sequence

from lumenmill.common.v1.light_pb2 import Light, LightSource
from lumenmill_light.source_attributes import SourceAttributes
from lumenmill_light.vocabulary import SUN_ELEVATION_DEG, TEMPERATURE_K, direction_phrase, map_words, phrase

__all__ = ["described"]


def described(light: Light, found: Sequence[SourceAttributes]) -> str:
    """Return the sources of a light in words, the strongest first, given the attributes of each."""
    pairs = zip(light.sources, found, strict=True)
    return "; ".join(_phrase(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1].strength))


def _phrase(source: LightSource, found: SourceAttributes) -> str:
    match source.WhichOneof("kind"):
        case "environment_map":
            name = map_words(source.environment_map.map.name) or source.environment_map.map.name
            return f"light from all around, from {f'the environment map {name}' if name else 'an environment map'}"
        case "background":
            return "light from a bright background behind the subject"
        case "spherical_harmonics":
            return f"smooth light from all around{_from(found, ', strongest ')}"
        case "sun_sky":
            return _daylight_phrase(found)
        case _:
            return phrase(found.to_proto(), found.hue)


def _daylight_phrase(found: SourceAttributes) -> str:
    if found.azimuth_deg is None or found.elevation_deg is None:
        return "open sky without sun"
    color = "" if found.temperature_k is None else f"{TEMPERATURE_K.word(found.temperature_k)} "
    height = SUN_ELEVATION_DEG.word(found.elevation_deg)
    return f"{color}light of {height}{_from(found, ' ')} under a clear sky"


def _from(found: SourceAttributes, lead: str) -> str:
    if found.azimuth_deg is None or found.elevation_deg is None:
        return ""
    # The height of the sun has a phrase of its own.
    elevation_deg = 25.0 if found.size_deg is not None else found.elevation_deg
    return lead + direction_phrase(found.azimuth_deg, elevation_deg)
