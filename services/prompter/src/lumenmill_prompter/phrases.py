"""Light in English, read off its sources, so that words and structure cannot disagree."""

import re
from collections.abc import Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill_light import sun_sky
from lumenmill_light.area import area_extent
from lumenmill_light.axes import circular_difference_deg, wrap_deg
from lumenmill_light.english import with_article
from lumenmill_light.source_attributes import SourceAttributes, source_attributes
from lumenmill_light.vocabulary import HARDNESS, SUN_ELEVATION_DEG, TEMPERATURE_K, direction_phrase, map_words

__all__ = ["color_word", "light_phrase", "sources_phrase"]

# A sun that gives less of the daylight than this is called veiled.
_VEILED_SUN_SHARE = 0.35
_LOW_DEG, _HIGH_DEG = 13.0, 60.0
# Light of this elevation is described by its side alone.
_UNSAID_ELEVATION_DEG = 25.0
# Hard parallel light bluer than this is moonlight outdoors.
_NIGHT_ABOVE_K = 7500.0
_SHADOW_EDGES = {
    "hard": ("crisp", "hard-edged", "sharp"),
    "medium": ("clear", "slightly softened", "lightly feathered"),
    "soft": ("soft", "soft-edged", "gently feathered"),
}
_AREA_NOUNS = {
    "hard": ("bare bulb", "small bare lamp", "tiny spotlight"),
    "medium": ("small softbox", "shaded lamp", "small panel lamp"),
    "soft": ("softbox", "light panel", "diffused lamp"),
    "very soft": ("huge diffusion screen", "very large softbox", "wide glowing panel"),
}
_PARALLEL_NOUNS = {
    "hard": ("beam of light", "distant spotlight", "narrow beam"),
    "medium": ("beam of light", "distant floodlight", "directional light"),
    "soft": ("broad distant light", "diffuse directional light", "wide soft light"),
    "very soft": ("broad distant light", "diffuse directional light", "wide soft light"),
}
_SUN_NOUNS = ("sunlight", "direct sun", "open sunlight")
_MASS_NOUNS = frozenset({*_SUN_NOUNS, "moonlight"})


# Last words of names of environment maps that "a" may stand before.
_NOUN_OF_MAP = re.compile(
    r"\b(?:"
    r"aerodrome|alley|arch|attic|balcony|ballroom|bank|barn|basement|bay|beach|bedroom|bridge|"
    r"building|bush|cabin|camp|canal|canyon|cave|cellar|chapel|church|cinema|cliff|coast|cottage|"
    r"court|courtyard|dam|dawn|desert|dock|dusk|evening|factory|farm|field|fireplace|forest|"
    r"garage|garden|gate|gazebo|glade|glen|golf|greenhouse|grove|gym|hall|hallway|hangar|harbor|"
    r"harbour|hill|hospital|hotel|house|interior|jungle|kiosk|kitchen|lab|lake|lawn|library|"
    r"lobby|loft|lounge|market|meadow|mill|mine|moor|morning|mountain|museum|night|oasis|office|"
    r"orchard|overpass|park|parking|path|patio|pier|plain|plaza|pond|pool|pump|quarry|railway|"
    r"rainforest|ranch|restaurant|ridge|river|road|rock|roof|rooftop|room|ruin|savanna|school|"
    r"shed|shelter|shipyard|shop|shore|sky|snow|square|stadium|staircase|station|store|stream|"
    r"street|studio|suburb|sunrise|sunset|temple|terrace|theater|theatre|tower|town|track|trail|"
    r"tunnel|underpass|valley|veranda|village|vineyard|wall|warehouse|wharf|wood|woods|workshop|"
    r"yard"
    r")$"
)


def light_phrase(light: light_pb2.Light, variant: int = 0, outdoor: bool = False) -> str:
    """Return a noun phrase for a light: "a small amber lamp low on the left, with crisp shadows".

    Args:
        light: the light; its sources are described, the dominant (first) one with its shadows, the others briefly.
        variant: picks among wordings of equal meaning; any non-negative number.
        outdoor: whether parallel light may be called sunlight or moonlight.
    """
    return sources_phrase(light.sources, [source_attributes(source) for source in light.sources], variant, outdoor)


def sources_phrase(
    sources: Sequence[light_pb2.LightSource], found: Sequence[SourceAttributes], variant: int, outdoor: bool
) -> str:
    """Return the same phrase from sources whose attributes are known already; `found[i]` are those of `sources[i]`."""
    key = found[0]
    phrase = _main_phrase(sources[0], key, variant, outdoor)
    if len(sources) == 1:
        return phrase
    others = list(zip(sources[1:], found[1:], strict=True))
    lamps = [_second_phrase(key, other, look, variant) for other, look in others if not _is_sky(other, look)]
    joint = (", plus ", ", and ")[variant % 2]
    sky = f", {_sky_words(key, variant)}" if len(lamps) < len(others) else ""
    return phrase + (joint + " and ".join(lamps) if lamps else "") + sky


def color_word(found: SourceAttributes, variant: int = 0) -> str:
    """Return one adjective for the colour of a source; the name of its hue where no temperature describes it."""
    if found.temperature_k is not None:
        return TEMPERATURE_K.word(found.temperature_k, variant)
    return found.hue or "white"


def _is_sky(source: light_pb2.LightSource, found: SourceAttributes) -> bool:
    return source.HasField("sun_sky") and found.azimuth_deg is None


def _sky_words(key: SourceAttributes, variant: int) -> str:
    """Return the words for a sky beside a key."""
    if key.temperature_k is not None and key.temperature_k > _NIGHT_ABOVE_K:
        return "under a night sky"
    return ("under an open sky", "with an open sky above")[variant % 2]


def _hardness_name(found: SourceAttributes) -> str:
    return HARDNESS.band(found.hardness or 0.0).name


def _shadows(found: SourceAttributes, variant: int) -> str:
    """Shadows as geometry has them: long when the light is low, away from it, edged by its hardness."""
    edges = _SHADOW_EDGES.get(_hardness_name(found))
    if edges is None:
        return ("with barely any shadows", "with shadows that melt away", "almost shadowless")[variant % 3]
    azimuth_deg, elevation_deg = found.azimuth_deg or 0.0, found.elevation_deg or 0.0
    away = circular_difference_deg(azimuth_deg, 90.0)
    side = " to the left" if away < 50.0 else " to the right" if away > 130.0 else ""
    if elevation_deg < _LOW_DEG:
        length = "long "
    elif elevation_deg > _HIGH_DEG:
        length, side = "short ", ""
    else:
        length = ""
    if circular_difference_deg(azimuth_deg, 180.0) < 25.0 and elevation_deg <= _HIGH_DEG:
        side = " towards the camera"
    verb = ("with {} shadows", "casting {} shadows")[variant // 3 % 2]
    return verb.format(length + edges[variant % 3]) + side


def _where(found: SourceAttributes, variant: int, *, max_elevation_deg: float = 90.0) -> str:
    return direction_phrase(found.azimuth_deg or 0.0, min(found.elevation_deg or 0.0, max_elevation_deg), variant)


def _area_noun(area: light_pb2.AreaLight, found: SourceAttributes, variant: int) -> str:
    _, width, height = area_extent(area)
    if max(width, height) > 2.6 * min(width, height):
        return "upright strip light" if height > width else "long horizontal strip light"
    return _AREA_NOUNS[_hardness_name(found)][variant % 3]


def _parallel_noun(found: SourceAttributes, variant: int, outdoor: bool) -> str:
    hardness, kelvin = _hardness_name(found), found.temperature_k or 0.0
    if outdoor and (found.elevation_deg or 0.0) >= 0.0 and hardness == "hard":
        if 2200.0 <= kelvin <= 6600.0:
            return _SUN_NOUNS[variant % 3]
        if kelvin > _NIGHT_ABOVE_K:
            return "moonlight"
    return _PARALLEL_NOUNS[hardness][variant % 3]


def _main_phrase(source: light_pb2.LightSource, found: SourceAttributes, variant: int, outdoor: bool) -> str:
    match source.WhichOneof("kind"):
        case "area":
            noun = _area_noun(source.area, found, variant)
            words = f"{color_word(found, variant)} {noun}"
            return f"{with_article(words)} shining {_where(found, variant)}, {_shadows(found, variant)}"
        case "directional":
            return _directional_phrase(found, variant, outdoor)
        case "sun_sky":
            return _sun_sky_phrase(source.sun_sky, found, variant)
        case "environment_map":
            return _environment_phrase(source.environment_map, variant)
        case "spherical_harmonics":
            return _harmonics_phrase(found, variant)
        case _:
            return "the glow of the background picture"


def _directional_phrase(found: SourceAttributes, variant: int, outdoor: bool) -> str:
    noun = _parallel_noun(found, variant, outdoor)
    color = "" if noun == "moonlight" else color_word(found, variant) + " "
    words = color + noun
    named = words if noun in _MASS_NOUNS else with_article(words)
    return f"{named} {_where(found, variant)}, {_shadows(found, variant)}"


def _sun_sky_phrase(light: light_pb2.SunSkyLight, found: SourceAttributes, variant: int) -> str:
    if found.azimuth_deg is None or found.elevation_deg is None:
        return ("the even light of an open sky without sun", "flat sunless daylight", "shadowless sky light")[
            variant % 3
        ]
    sun, color = SUN_ELEVATION_DEG.word(found.elevation_deg, variant), color_word(found, variant)
    sky = ", under a hazy sky" if light.turbidity >= 6.0 else ", under a clear sky"
    if sun_sky.daylight(light).sun_share < _VEILED_SUN_SHARE:
        sun = ("a veiled sun", "a weak sun behind thin cloud", "a pale sun")[variant % 3]
        color, sky = "", ", most of it coming from the sky"
    side = direction_phrase(found.azimuth_deg, _UNSAID_ELEVATION_DEG, variant)
    shadows = _shadows(found, variant)
    if sun.endswith("sunlight"):
        return f"{color} {sun} {side}{sky}, {shadows}"
    words = f"the {color} light of {sun}" if color else f"the light of {sun}"
    return f"{words} {side}{sky}, {shadows}"


def _environment_phrase(light: light_pb2.EnvironmentMapLight, variant: int) -> str:
    words = map_words(light.map.name)
    if words and _NOUN_OF_MAP.search(words):
        surroundings = (
            f"the surrounding light of {with_article(words)}",
            f"the ambient light of {with_article(words)}",
        )[variant % 2]
    elif words:
        # A name or a word of another language, which takes no article.
        surroundings = f'the light of the environment map "{words}"'
    else:
        surroundings = f"the light of the environment map {light.map.name or light.map.sha256[:12]}"
    turn = wrap_deg(light.rotation_deg)
    if abs(turn) >= 157.5:
        turned = ", turned half-way round"
    elif abs(turn) >= 22.5:
        # Azimuth grows from the camera's side towards its right.
        sense = "counterclockwise" if turn > 0 else "clockwise"
        turned = f", turned {abs(round(turn / 5.0)) * 5} degrees {sense} seen from above"
    else:
        turned = ""
    return surroundings + turned


def _harmonics_phrase(found: SourceAttributes, variant: int) -> str:
    noun = ("{} ambient light", "{} wrap-around light", "{} diffuse light")[variant % 3]
    words = noun.format("soft " + color_word(found, variant))
    if found.azimuth_deg is None:
        return words + ", even from all sides"
    return f"{words}, brightest {_where(found, variant)}, without hard shadows"


def _second_phrase(key: SourceAttributes, other: light_pb2.LightSource, found: SourceAttributes, variant: int) -> str:
    """Return the words for a further source, named by what it does beside the first: rim, fill or second key."""
    if other.WhichOneof("kind") not in {"area", "directional"} or found.azimuth_deg is None:
        return _main_phrase(other, found, variant, outdoor=False)
    behind = circular_difference_deg(found.azimuth_deg, 180.0) < 62.0
    name = "rim light" if behind else "fill" if found.strength < 0.7 * key.strength else "second light"
    strength = "faint " if key.irradiance and found.strength < 0.22 * key.irradiance else ""
    words = f"{strength}{color_word(found, variant + 1)} {name}"
    return f"{with_article(words)} {_where(found, variant, max_elevation_deg=40.0)}"
