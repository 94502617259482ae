"""Words about light become the light that they ask for, which does not contradict them."""

import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_light.reading import read_light
from lumenmill_light.requesting import light_of_words
from lumenmill_light.source_attributes import SourceAttributes, source_attributes


def looks(text: str, *, outdoor: bool = False) -> list[tuple[str, SourceAttributes]]:
    light = light_of_words(text, outdoor=outdoor)
    assert light is not None
    return [(source.WhichOneof("kind"), source_attributes(source)) for source in light.sources]


@pytest.mark.parametrize(
    ("text", "kind", "azimuth_deg"),
    [
        ("a bust, hard warm light from the left", "area", -90.0),
        ("soft window light from the right", "area", 90.0),
        ("golden hour back light", "sun_sky", 180.0),
        ("a vase in the cold blue light of a lamp from behind", "area", 180.0),
        ("moonlight from the right", "directional", 90.0),
        ("hard light from below, from the left", "area", -90.0),
        ("Rembrandt lighting", "area", -45.0),
        ("red light from the front", "area", 0.0),
    ],
)
@pytest.mark.parametrize("outdoor", [False, True])
def test_what_is_stated_is_within_the_range_that_the_words_mean(
    text: str, kind: str, azimuth_deg: float, outdoor: bool
) -> None:
    claim = read_light(text).lights[0]
    found_kind, key = looks(text, outdoor=outdoor)[0]
    assert found_kind == kind or outdoor
    assert key.azimuth_deg == pytest.approx(azimuth_deg)
    for ranges, value in (
        (claim.elevations_deg, key.elevation_deg),
        (claim.hardness, key.hardness),
        (claim.temperatures_k, key.temperature_k),
    ):
        assert not ranges or any(low <= (value or 0.0) <= high for low, high, _ in ranges)
    assert not claim.hues or claim.temperatures_k or key.hue in claim.hues


def test_overcast_light_comes_from_all_around() -> None:
    ((kind, found),) = looks("a cottage in a meadow, overcast", outdoor=True)
    assert (kind, found.azimuth_deg, found.hardness) == ("spherical_harmonics", None, 0.0)


def test_a_sky_without_sun_is_a_sky_without_sun() -> None:
    light = light_of_words("A brass urn on a beach, lit by the even light of an open sky without sun.", outdoor=True)
    assert light is not None and len(light.sources) == 1
    assert (light.sources[0].sun_sky.sun_scale, light.sources[0].sun_sky.sky_scale) == (0.0, 1.0)


def test_outdoor_light_has_a_sky() -> None:
    for text in (
        "warm light from the left",
        "cold blue sunlight from the right",
        "hard light from below",
        "candlelight",
    ):
        assert {kind for kind, _ in looks(text, outdoor=True)} & {"sun_sky", "spherical_harmonics"}


def test_a_sun_behind_a_wall_becomes_a_lamp_before_it() -> None:
    light = light_of_words("golden hour back light", outdoor=False, wall_behind=True)
    assert light is not None and light.sources[0].WhichOneof("kind") == "area"
    assert source_attributes(light.sources[0]).temperature_k == pytest.approx(3200, abs=600)
    front = light_of_words("golden hour light from the left", outdoor=False, wall_behind=True)
    assert front is not None and front.sources[0].WhichOneof("kind") == "sun_sky"


def test_two_lights_stay_two_and_the_first_is_the_strongest() -> None:
    lamp, fill = looks("lit by a warm lamp from the left and a cool fill")
    assert (lamp[1].temperature_k, fill[1].temperature_k) == (3500.0, 8000.0)
    assert lamp[1].azimuth_deg == -90.0 and (fill[1].azimuth_deg or 0.0) > 0.0
    assert lamp[1].strength > 2 * fill[1].strength
    red, blue = looks("two lights: a red lamp on the left and a blue one on the right")
    assert (red[1].hue, blue[1].temperature_k) == ("red", 13000.0)


@pytest.mark.parametrize(
    ("text", "azimuths_deg"),
    [
        ("a bust lit by two lamps", [-45.0, 45.0]),
        ("two softboxes from the left and right", [-90.0, 90.0]),
        ("softboxes on both sides", [-90.0, 90.0]),
        ("hard light from the left and from the right", [-90.0, 90.0]),
        ("three spotlights", [-60.0, 0.0, 60.0]),
        ("two spotlights from the left", [-114.0, -66.0]),
        ("two softboxes and a candlelight from the right", [-45.0, 45.0, 90.0]),
        ("two lights: a red lamp on the left and a blue one on the right", [-90.0, 90.0]),
        ("side light", [-90.0]),
        ("a single softbox from the left", [-90.0]),
    ],
)
def test_there_are_as_many_lamps_as_the_words_count(text: str, azimuths_deg: list[float]) -> None:
    found = [look.azimuth_deg for _, look in looks(text)]
    assert found == pytest.approx(azimuths_deg)


def test_outdoors_two_lamps_are_no_suns() -> None:
    kinds = [kind for kind, _ in looks("two lights from the left and right", outdoor=True)]
    assert kinds == ["area", "area", "spherical_harmonics"]


def test_stated_contrast_is_given_by_even_light() -> None:
    key, even = looks("low-key lighting from the left")
    assert even[0] == "spherical_harmonics" and key[1].strength > 8 * even[1].strength


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a bowl on an oak table",
        "a lamp and a candle on an oak table by a window",
        "a light oak table in a warm plaster room",
        "a tower under a blue sky",
        "a statue without shadows",
    ],
)
def test_words_that_ask_for_no_light_give_none(text: str) -> None:
    assert light_of_words(text, outdoor=True) is None


def test_dim_and_bright_are_levels() -> None:
    dim, bright = looks("dim light from the left")[0][1], looks("bright light from the left")[0][1]
    assert (dim.intensity_ev or 0.0) < -1 < 1 < (bright.intensity_ev or 0.0)


def test_the_result_is_a_light_of_the_contract() -> None:
    light = light_of_words("warm light from the side", outdoor=False)
    assert isinstance(light, light_pb2.Light) and light.sources[0].area.width_ratio > 0
