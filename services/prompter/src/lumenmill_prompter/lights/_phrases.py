"""Light in English, read off its sources, so that words and structure cannot disagree."""

import math
import re
from pathlib import PurePath

from lumenmill.common.v1 import light_pb2

from ._attributes import angular_diameter_of_area_deg, look_of_source, sun_share
from ._color import color_word, sunlight_temperature_k
from ._direction import circular_difference_deg, compass_phrase, wrap_deg


def light_phrase(light: light_pb2.Light, variant: int = 0, outdoor: bool = False) -> str:
    """Return a noun phrase for a light: "a small amber lamp low on the left, with crisp shadows".

    Args:
        light: the light; its sources are described, the dominant (first) one with its shadows, the others briefly.
        variant: picks among wordings of equal meaning; any non-negative number.
        outdoor: whether parallel light may be called sunlight or moonlight.
    """
    first, *others = light.sources
    phrase = _main_phrase(first, variant, outdoor)
    if others:
        joint = (", plus ", ", and ")[variant % 2]
        phrase += joint + " and ".join(_second_phrase(first, other, variant) for other in others)
    return phrase


def map_words(name: str) -> str:
    """Return words for an environment map's file name: `urban_alley_01_1k.hdr` → "urban alley".

    A name without at least one word of three letters returns an empty string.
    """
    words = re.split(r"[^A-Za-z]+", PurePath(name).stem)
    readable = [word.lower() for word in words if len(word) >= 3 and re.search("[aeiouy]", word.lower())]
    if len(readable) > 1 and readable[-1] in {"small", "large", "big", "old", "dark", "bright"}:
        readable = [readable[-1], *readable[:-1]]
    return " ".join(readable)


def _article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def _color_of(source: light_pb2.AreaLight | light_pb2.DirectionalLight, variant: int) -> str:
    if not source.HasField("color"):
        return color_word(None, None, variant)
    if source.color.WhichOneof("value") == "temperature_k":
        return color_word(source.color.temperature_k, None, variant)
    return color_word(None, (source.color.rgb.red, source.color.rgb.green, source.color.rgb.blue), variant)


def _strength(irradiance: float) -> str:
    if irradiance < 0.45 * math.pi:
        return "dim "
    return "bright " if irradiance > 2.2 * math.pi else ""


def _shadows(azimuth_deg: float, elevation_deg: float, diameter_deg: float, variant: int) -> str:
    """Shadows as geometry has them: long when the light is low, away from it, edged by its angular diameter."""
    if diameter_deg < 3.0:
        edge = ("crisp", "hard-edged", "sharp")[variant % 3]
    elif diameter_deg < 14.0:
        edge = ("clear", "slightly softened", "lightly feathered")[variant % 3]
    elif diameter_deg < 32.0:
        edge = ("soft", "soft-edged", "gently feathered")[variant % 3]
    else:
        return ("with barely any shadows", "with shadows that melt away", "almost shadowless")[variant % 3]
    away = circular_difference_deg(azimuth_deg, 90.0)
    side = " to the left" if away < 50.0 else " to the right" if away > 130.0 else ""
    if elevation_deg < 13.0:
        length = "long "
    elif elevation_deg > 60.0:
        length, side = "short ", ""
    else:
        length = ""
    if circular_difference_deg(azimuth_deg, 180.0) < 25.0 and elevation_deg <= 60.0:
        side = " towards the camera"
    verb = ("with {} shadows", "casting {} shadows")[variant // 3 % 2]
    return verb.format(length + edge) + side


def _area_noun(area: light_pb2.AreaLight, variant: int) -> str:
    diameter = angular_diameter_of_area_deg(area)
    width = area.width_ratio or 1.0
    height = area.height_ratio or width
    if max(width, height) > 2.6 * min(width, height):
        return "upright strip light" if height > width else "long horizontal strip light"
    if diameter < 3.0:
        return ("bare bulb", "small bare lamp", "tiny spotlight")[variant % 3]
    if diameter < 14.0:
        return ("small softbox", "shaded lamp", "small panel lamp")[variant % 3]
    if diameter < 32.0:
        return ("softbox", "light panel", "diffused lamp")[variant % 3]
    return ("huge diffusion screen", "very large softbox", "wide glowing panel")[variant % 3]


def _parallel_noun(source: light_pb2.DirectionalLight, variant: int, outdoor: bool) -> str:
    kelvin = source.color.temperature_k if source.HasField("color") else 6504.0
    if outdoor and source.elevation_deg >= 0.0 and source.angular_diameter_deg < 3.0:
        if 2200.0 <= kelvin <= 6600.0:
            return ("sunlight", "direct sun", "open sunlight")[variant % 3]
        if kelvin > 7500.0 and source.irradiance < 0.8 * math.pi:
            return "moonlight"
    if source.angular_diameter_deg < 3.0:
        return ("beam of light", "distant spotlight", "narrow beam")[variant % 3]
    if source.angular_diameter_deg < 14.0:
        return ("beam of light", "distant floodlight", "directional light")[variant % 3]
    return ("broad distant light", "diffuse directional light", "wide soft light")[variant % 3]


_MASS_NOUNS = frozenset({"sunlight", "direct sun", "open sunlight", "moonlight"})


def _main_phrase(source: light_pb2.LightSource, variant: int, outdoor: bool) -> str:
    match source.WhichOneof("kind"):
        case "area":
            area = source.area
            words = f"{_strength(area.irradiance)}{_color_of(area, variant)} {_area_noun(area, variant)}"
            where = compass_phrase(area.azimuth_deg, area.elevation_deg, variant)
            diameter = angular_diameter_of_area_deg(area)
            shadows = _shadows(area.azimuth_deg, area.elevation_deg, diameter, variant)
            return f"{_article(words)} shining {where}, {shadows}"
        case "directional":
            return _directional_phrase(source.directional, variant, outdoor)
        case "sun_sky":
            return _sun_sky_phrase(source.sun_sky, variant)
        case "environment_map":
            return _environment_phrase(source.environment_map, variant)
        case "spherical_harmonics":
            return _harmonics_phrase(source, variant)
        case _:
            return "the glow of the background picture"


def _directional_phrase(parallel: light_pb2.DirectionalLight, variant: int, outdoor: bool) -> str:
    noun = _parallel_noun(parallel, variant, outdoor)
    color = "" if noun == "moonlight" else _color_of(parallel, variant) + " "
    words = _strength(parallel.irradiance) + color + noun
    where = compass_phrase(parallel.azimuth_deg, parallel.elevation_deg, variant)
    shadows = _shadows(parallel.azimuth_deg, parallel.elevation_deg, parallel.angular_diameter_deg, variant)
    return f"{words if noun in _MASS_NOUNS else _article(words)} {where}, {shadows}"


def _sun_sky_phrase(light: light_pb2.SunSkyLight, variant: int) -> str:
    share = sun_share(light)
    if share < 0.02:
        return ("the even light of an open sky without sun", "flat sunless daylight", "shadowless sky light")[
            variant % 3
        ]
    elevation = light.sun_elevation_deg
    kelvin = sunlight_temperature_k(round(elevation, 1), round(light.turbidity or 3.0, 1))
    sun, color = _sun_noun(elevation, variant), color_word(kelvin, None, variant)
    sky = ", under a hazy sky" if light.turbidity >= 6.0 else ", under a clear sky"
    if share < 0.35:
        sun = ("a veiled sun", "a weak sun behind thin cloud", "a pale sun")[variant % 3]
        color, sky = "", ", most of it coming from the sky"
    side = compass_phrase(light.sun_azimuth_deg, 25.0, variant)
    diameter = (light.sun_diameter_deg or 0.53) if share >= 0.35 else 20.0
    shadows = _shadows(light.sun_azimuth_deg, elevation, diameter, variant)
    if sun.endswith("sunlight"):
        return f"{color} {sun} {side}{sky}, {shadows}"
    words = f"the {color} light of {sun}" if color else f"the light of {sun}"
    return f"{words} {side}{sky}, {shadows}"


def _sun_noun(elevation_deg: float, variant: int) -> str:
    if elevation_deg < 7.0:
        return ("a sun close to the horizon", "the last low sun", "a sun just above the horizon")[variant % 3]
    if elevation_deg < 20.0:
        return ("low sunlight", "a low sun", "long-slanting sunlight")[variant % 3]
    if elevation_deg < 48.0:
        return ("slanting sunlight", "a half-high sun", "sloping sunlight")[variant % 3]
    return ("high sunlight", "a high midday sun", "a sun high in the sky")[variant % 3]


def _environment_phrase(light: light_pb2.EnvironmentMapLight, variant: int) -> str:
    words = map_words(light.map.name)
    if words:
        place = (f"the surrounding light of {_article(words)}", f"the ambient light of {_article(words)}")[variant % 2]
    else:
        place = f"the light of the environment map {light.map.name or light.map.sha256[:12]}"
    turn = wrap_deg(light.rotation_deg)
    if abs(turn) >= 157.5:
        turned = ", turned half-way round"
    elif abs(turn) >= 22.5:
        # Azimuth grows from the camera's side towards its right.
        sense = "counterclockwise" if turn > 0 else "clockwise"
        turned = f", turned {abs(round(turn / 5.0)) * 5} degrees {sense} seen from above"
    else:
        turned = ""
    level = ", brightened" if light.exposure_ev >= 0.75 else ", darkened" if light.exposure_ev <= -0.75 else ""
    return place + turned + level


def _harmonics_phrase(source: light_pb2.LightSource, variant: int) -> str:
    look = look_of_source(source)
    c = source.spherical_harmonics.coefficients
    if look.temperature_k is not None:
        color = color_word(look.temperature_k, None, variant)
    else:
        color = color_word(None, (max(c[0], 0.0), max(c[9], 0.0), max(c[18], 0.0)), variant)
    words = ("{} ambient light", "{} wrap-around light", "{} diffuse light")[variant % 3].format("soft " + color)
    if look.azimuth_deg is None or look.elevation_deg is None:
        return words + ", even from all sides"
    where = compass_phrase(look.azimuth_deg, look.elevation_deg, variant)
    return f"{words}, brightest {where}, without hard shadows"


def _second_phrase(first: light_pb2.LightSource, other: light_pb2.LightSource, variant: int) -> str:
    """A further source, named by what it does beside the first: rim, fill or second key."""
    look, key = look_of_source(other), look_of_source(first)
    kind = other.WhichOneof("kind")
    if kind not in {"area", "directional"} or look.azimuth_deg is None or look.elevation_deg is None:
        return _main_phrase(other, variant, outdoor=False)
    color = _color_of(other.area if kind == "area" else other.directional, variant + 1)
    behind = circular_difference_deg(look.azimuth_deg, 180.0) < 62.0
    weaker = (look.irradiance or 0.0) < 0.7 * (key.irradiance or math.inf)
    name = "rim light" if behind else "fill" if weaker else "second light"
    strength = "faint " if (look.irradiance or 0.0) < 0.22 * (key.irradiance or 0.0) else ""
    words = f"{strength}{color} {name}"
    return f"{_article(words)} {compass_phrase(look.azimuth_deg, min(look.elevation_deg, 40.0), variant)}"
