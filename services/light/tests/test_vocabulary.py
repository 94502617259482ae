"""Words come from one table."""

import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_light import vocabulary as words
from lumenmill_light.english import with_article


def test_5250_k_is_neutral_white() -> None:
    assert words.TEMPERATURE_K.word(5250) == "neutral white"
    assert words.phrase(light_pb2.LightAttributes(color_temperature_k=5250)) == "neutral white light"


@pytest.mark.parametrize(
    "scale", [words.TEMPERATURE_K, words.ELEVATION_DEG, words.HARDNESS, words.CONTRAST_EV, words.INTENSITY_EV]
)
def test_scales_rise_and_a_threshold_belongs_to_the_band_above(scale: words.Scale) -> None:
    uppers = [band.upper for band in scale.bands]
    assert uppers == sorted(uppers) and uppers[-1] == float("inf")
    for below, above in zip(scale.bands, scale.bands[1:], strict=False):
        assert scale.band(below.upper) is above and scale.band(below.upper - 1e-6) is below


def test_a_phrase_contains_the_known_attributes() -> None:
    attributes = light_pb2.LightAttributes(
        azimuth_deg=-90, elevation_deg=5, hardness=0.95, contrast_ev=5, color_temperature_k=2500, intensity_ev=1.5
    )
    assert words.phrase(attributes) == "bright, hard, amber light low from the left, with deep shadows"
    assert words.phrase(attributes, "green").startswith("bright, hard, green light")
    assert words.phrase(light_pb2.LightAttributes()) == "light"
    assert words.direction_phrase(100, 80) == "from straight overhead"
    assert words.direction_phrase(100, 79) == "from very high up on the right"
    assert words.direction_phrase(50, 50) == "from high up on the front right"


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "phrase"),
    [
        (5.0, 25.0, "from the front"),
        (-10.0, 25.0, "from the front"),
        (11.0, 10.9, "low from the front, slightly to the right"),
        (-15.1, 4.5, "low from the front, slightly to the left"),
        (7.0, 12.0, "low from the front, slightly to the right"),
        (22.0, 30.0, "from the front, slightly to the right"),
        (-17.7, 44.8, "from high up slightly left of the front"),
        (23.0, 30.0, "from the front right"),
        (175.0, 25.0, "from behind"),
        (165.0, 25.0, "from behind, slightly to the right"),
        (-160.0, 50.0, "from high up slightly left of the back"),
        (180.0, 50.0, "from high up behind"),
        (-66.0, 74.7, "from very high up on the front left"),
    ],
)  # fmt: skip
def test_only_what_comes_straight_from_the_front_is_called_so(
    azimuth_deg: float, elevation_deg: float, phrase: str
) -> None:
    assert words.direction_phrase(azimuth_deg, elevation_deg) == phrase


@pytest.mark.parametrize(
    ("kelvin", "name"),
    [
        (3700, "warm"),
        (4100, "warm white"),
        (6800, "neutral white"),
        (7500, "cool white"),
        (9400, "cool white"),
        (10000, "bluish"),
        (13500, "cold blue"),
    ],
)
def test_colour_words_are_as_strong_as_the_colour(kelvin: float, name: str) -> None:
    assert words.TEMPERATURE_K.word(kelvin) == name


def test_gels_are_called_by_their_names() -> None:
    for name, rgb in words.GEL_COLORS.items():
        assert words.hue_word(rgb) == name
    assert words.hue_word((1, 1, 1)) == "white"


def test_map_names_become_words_or_stay_empty() -> None:
    assert words.map_words("urban_alley_01_1k.hdr") == "urban alley"
    assert words.map_words("studio_small_08_1k.hdr") == "small studio"
    assert words.map_words("0x3f_77.exr") == ""
    assert with_article("old room") == "an old room"
