"""Texts on light are read back, and compared with the light that arrived."""

import time
from collections.abc import Callable
from itertools import product
from random import Random

import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_light import vocabulary as words
from lumenmill_light.color import mired, temperature_rgb
from lumenmill_light.contradictions import contradictions
from lumenmill_light.reading import LightClaim, read_light

AZIMUTHS_DEG = [*(45.0 * index for index in range(-3, 5)), -14.0, 14.0, -166.0, 166.0]
ELEVATIONS_DEG = {
    "underneath": -60.0, "below": -20.0, "low": 5.0, "level": 25.0, "high": 55.0, "very high": 76.0, "overhead": 82.0,
}  # fmt: skip
Kind = "light_pb2.LightKind.ValueType"


def source(
    azimuth_deg: float | None = -90.0,
    elevation_deg: float | None = 5.0,
    hardness: float = 0.95,
    kelvin: float | None = 2500.0,
    rgb: tuple[float, float, float] = (1.0, 1.0, 1.0),
    share: float = 1.0,
    kind: Kind = light_pb2.LIGHT_KIND_AREA,
) -> light_pb2.ArrivedSource:
    red, green, blue = temperature_rgb(kelvin).tolist() if kelvin else rgb
    return light_pb2.ArrivedSource(
        attributes=light_pb2.LightAttributes(
            kinds=[kind],
            azimuth_deg=azimuth_deg,
            elevation_deg=elevation_deg,
            hardness=hardness,
            color_temperature_k=kelvin,
        ),
        share=share,
        color=light_pb2.RgbColor(red=red, green=green, blue=blue),
    )


def arrived(*sources: light_pb2.ArrivedSource, intensity_ev: float = 1.6) -> light_pb2.ArrivedLight:
    found = light_pb2.ArrivedLight(sources=sources)
    for index, entry in enumerate(found.sources):
        entry.source_index = index
    if sources:
        found.attributes.CopyFrom(sources[0].attributes)
        found.attributes.intensity_ev = intensity_ev
    return found


HARD_AMBER_LEFT = arrived(source())
WARM_LEFT_COOL_RIGHT = arrived(source(share=0.6), source(90.0, 25.0, 0.4, 8000.0, share=0.4))
GREEN_ABOVE = arrived(source(20.0, 85.0, 0.3, None, words.GEL_COLORS["green"]))
EVEN = arrived(source(None, None, 0.0, 6500.0, kind=light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS))
LOW_SUN = arrived(source(-170.0, 4.0, 0.96, 3000.0, kind=light_pb2.LIGHT_KIND_SUN_SKY))


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        (HARD_AMBER_LEFT, "Hard amber light comes low from the left."),
        (HARD_AMBER_LEFT, "A bright, crisp, golden lamp low down on the left, with hard-edged shadows to the right."),
        (HARD_AMBER_LEFT, "Warm light from the left. Its shadows are sharp."),
        (HARD_AMBER_LEFT, "A single lamp lights the scene from camera left; it is warm, not cool."),
        (HARD_AMBER_LEFT, "Light of about 2,500 K, not from the right. There is no fill light."),
        (HARD_AMBER_LEFT, "Amber light illuminates the left side of his face, leaving the right side in deep shadow."),
        (WARM_LEFT_COOL_RIGHT, "Two lights: a warm one on the left and a cool one on the right."),
        (WARM_LEFT_COOL_RIGHT, "Hard amber light comes low from the left, with a softer cool light from the right."),
        (WARM_LEFT_COOL_RIGHT, "Warm key light from the left. The fill light is cool and comes from the right side."),
        (WARM_LEFT_COOL_RIGHT, "Hard amber light low from the left, with a much cooler second light from the right."),
        (GREEN_ABOVE, "Soft green light from straight overhead, with barely any shadows."),
        (EVEN, "Diffuse neutral white light falls evenly from all around."),
        (EVEN, "Shadowless light without a clear direction, on a red car beside a blue wall on the left."),
        (LOW_SUN, "Golden hour, backlit."),
        (LOW_SUN, "The warm light of the last low sun from straight behind, with crisp shadows towards the camera."),
        (arrived(source(0.0, 50.0, 0.5, 5500.0)), "Butterfly light from above, soft and neutral."),
        (arrived(source(15.0, 10.0)), "Hard amber light comes low from the front, slightly to the right."),
        (arrived(source(-70.0, 76.0)), "Bright, hard, amber light from very high up on the left."),
        (arrived(source(90.0, 20.0, 0.4, 6000.0)), "Soft window light from the right."),
        (arrived(source(30.0, 20.0, 0.4, 3000.0)), "The picture is dark. Some highlights are clipped to white."),
    ],
)  # fmt: skip
def test_true_sentences_contradict_nothing(truth: light_pb2.ArrivedLight, text: str) -> None:
    assert contradictions(text, truth) == []


@pytest.mark.parametrize(
    ("truth", "text", "wrong"),
    [
        (HARD_AMBER_LEFT, "Hard amber light comes low from the right.", "direction"),
        (HARD_AMBER_LEFT, "Backlit by an amber lamp.", "direction"),
        (arrived(source(25.0, 10.0)), "Hard amber light comes low from the front.", "direction"),
        (arrived(source(15.0, 10.0)), "Hard amber light from the front, slightly to the left.", "direction"),
        (arrived(source(-70.0, 60.0)), "Hard amber light from straight overhead.", "height"),
        (HARD_AMBER_LEFT, "An amber lamp casting long shadows to the left.", "direction"),
        (HARD_AMBER_LEFT, "An amber lamp casting the long shadow of the jug to the left.", "direction"),
        (HARD_AMBER_LEFT, "The right side of the jug is softly lit.", "direction"),
        (HARD_AMBER_LEFT, "Hard amber light, its left side lies in shadow.", "direction"),
        (HARD_AMBER_LEFT, "Hard amber light comes from high up, from the left.", "height"),
        (HARD_AMBER_LEFT, "Hard amber light from straight overhead.", "height"),
        (HARD_AMBER_LEFT, "Soft amber light comes low from the left.", "hardness"),
        (HARD_AMBER_LEFT, "Amber light from the left, without hard shadows.", "hardness"),
        (HARD_AMBER_LEFT, "Hard cool light comes low from the left.", "colour"),
        (HARD_AMBER_LEFT, "Hard light from the left. It is white.", "colour"),
        (HARD_AMBER_LEFT, "Hard magenta light from the left.", "colour"),
        (HARD_AMBER_LEFT, "Hard light of 6,000 K from the left.", "colour"),
        (HARD_AMBER_LEFT, "Very dim amber light from the left.", "intensity"),
        (HARD_AMBER_LEFT, "Amber light falls evenly from all around.", "evenness"),
        (HARD_AMBER_LEFT, "Low sunlight from the left.", "kind"),
        (HARD_AMBER_LEFT, "Amber light from the left, with a cool rim light from behind.", "no such light"),
        (HARD_AMBER_LEFT, "Two lights: an amber one from the left and a cool one from the right.", "2 light"),
        (WARM_LEFT_COOL_RIGHT, "Cool light from the right, with a warm fill from the left.", "wrong"),
        (WARM_LEFT_COOL_RIGHT, "A warm light from the left, with a weaker warm light from the right.", "colour"),
        (WARM_LEFT_COOL_RIGHT, "Amber light from the left, with a warmer fill light from the right.", "colour"),
        (WARM_LEFT_COOL_RIGHT, "A single warm lamp on the left.", "1 light"),
        (WARM_LEFT_COOL_RIGHT, "The key light is cool and comes from the right.", "wrong"),
        (WARM_LEFT_COOL_RIGHT, "A warm lamp on the left. There is no fill light.", "no fill light"),
        (GREEN_ABOVE, "Soft warm light from straight overhead.", "colour"),
        (GREEN_ABOVE, "Soft violet light from above.", "colour"),
        (EVEN, "Diffuse light from the left.", "direction"),
        (EVEN, "Hard light.", "hardness"),
        (LOW_SUN, "Noon.", "height"),
        (LOW_SUN, "Overcast.", "evenness"),
        (arrived(), "Soft light from the left.", "no light arrives"),
    ],
)  # fmt: skip
def test_each_lie_is_found(truth: light_pb2.ArrivedLight, text: str, wrong: str) -> None:
    found = contradictions(text, truth)
    assert found and any(wrong in sentence for sentence in found), found


LIES: dict[str, Callable[[light_pb2.LightAttributes], None]] = {
    "direction": lambda said: setattr(said, "azimuth_deg", said.azimuth_deg - 180.0),
    "height": lambda said: setattr(said, "elevation_deg", 60.0 if said.elevation_deg < 30.0 else 4.0),
    "hardness": lambda said: setattr(said, "hardness", 0.95 if said.hardness < 0.6 else 0.3),
    "colour": lambda said: setattr(said, "color_temperature_k", 9000 if said.color_temperature_k < 5000 else 2500),
    "intensity": lambda said: setattr(said, "intensity_ev", 3.0 if said.intensity_ev < 0.0 else -3.0),
}


@pytest.mark.parametrize("wrong", LIES)
def test_each_attribute_that_is_wrong_is_found_for_random_lights(wrong: str) -> None:
    random = Random(wrong)  # noqa: S311 - no secrets
    for number in range(200):
        truth = source(
            random.uniform(-180, 180), random.uniform(-15, 65), random.uniform(0, 1), random.uniform(1900, 16000)
        )
        picture = arrived(truth, intensity_ev=random.choice((-3.0, -1.6, 1.6, 3.0)))
        said = light_pb2.LightAttributes()
        said.CopyFrom(picture.attributes)
        assert contradictions(words.phrase(said, variant=number), picture) == [], words.phrase(said, variant=number)
        LIES[wrong](said)
        text = words.phrase(said, variant=number)
        assert any(f"The {wrong} is wrong" in found for found in contradictions(text, picture)), (text, picture)


def test_moves_and_ends_of_clips_are_compared() -> None:
    start, end = HARD_AMBER_LEFT, arrived(source(90.0, 25.0, 0.95, 8000.0))
    text = "The key light swings from the left to the right, across the front. By the end the light is cool."
    assert contradictions(text, start, end) == []
    assert len(contradictions(text.replace("cool", "amber"), start, end)) == 1
    assert len(contradictions(text.replace("to the right", "to straight behind"), start, end)) == 1
    assert len(contradictions(text.replace("from the left", "from the front"), start, end)) == 1


def only_light(text: str) -> LightClaim:
    lights = read_light(text).lights
    assert len(lights) == 1, (text, lights)
    return lights[0]


@pytest.mark.parametrize("variant", range(4))
def test_every_direction_of_the_vocabulary_is_read(variant: int) -> None:
    for azimuth_deg, (name, elevation_deg) in product(AZIMUTHS_DEG, ELEVATIONS_DEG.items()):
        phrase = words.direction_phrase(azimuth_deg, elevation_deg, variant)
        claim = only_light(f"the light comes {phrase}.")
        if name not in {"overhead", "underneath"}:
            assert [arc.center_deg % 360.0 for arc in claim.azimuths_deg] == [azimuth_deg % 360.0], phrase
        if name != "level":
            assert all(each.low <= elevation_deg <= each.high for each in claim.elevations_deg), phrase
            assert bool(claim.elevations_deg), phrase


@pytest.mark.parametrize(
    "scale", [words.TEMPERATURE_K, words.HARDNESS, words.INTENSITY_EV], ids=["color", "hard", "ev"]
)
def test_every_word_of_the_vocabulary_is_read_as_its_band(scale: words.Scale) -> None:
    field = {
        words.TEMPERATURE_K: "temperatures_k", words.HARDNESS: "hardness", words.INTENSITY_EV: "intensities_ev"
    }[scale]  # fmt: skip
    for band in scale.bands:
        low, high = scale.interval(band.name, band.name)
        for word in filter(None, band.words):
            claim = only_light(f"{word} light from the left")
            ranges = getattr(claim, field)
            assert len(ranges) == 1, (word, ranges)
            assert ranges[0].low <= max(low, -32.0, ranges[0].low) and ranges[0].high >= min(
                high, 25000.0, ranges[0].high
            )
            inside = [value for value in (low, high) if abs(value) != float("inf")]
            assert all(ranges[0].low <= value <= ranges[0].high for value in inside), (word, ranges)
            assert scale.band(ranges[0].typical) is band, (word, ranges)


def test_every_hue_of_the_vocabulary_is_read() -> None:
    for name in words.GEL_COLORS:
        assert only_light(f"hard {name} light from behind").hues == (name,)


def test_colours_and_sides_of_things_are_not_those_of_the_light() -> None:
    claim = only_light("warm light on a red car before a hard blue wall on the left")
    assert not claim.hues and not claim.hardness and mired(claim.temperatures_k[0].typical) < 300.0
    assert read_light("A green bottle on the left of two lemons.").lights == ()


@pytest.mark.parametrize(
    ("text", "azimuth_deg", "elevation_deg", "hardness", "kelvin"),
    [
        ("A vase lit by late afternoon sun coming in from the right.", 90, None, 0.95, None),
        ("Harsh midday sun, short shadows.", None, 62, 0.95, None),
        ("Soft diffused daylight from a large window on the left, slightly cool.", -90, None, 0.49, None),
        ("The subject is backlit by a low golden sun.", 180, 5, None, 2570),
        ("Lit from above and slightly behind.", 180, 57, None, None),
        ("Blue hour, soft cool ambient light.", None, None, 0.49, 8000),
        ("The light comes from the top left.", -90, 57, None, None),
        ("Bright sunny day, sun behind the camera.", 0, None, None, None),
        ("Top-lit still life with hard shadows.", None, 88, 0.95, None),
        ("The key light is to the left of the camera, high, and warm.", -45, 57, None, 3500),
        ("Dim green light from below.", None, -20, None, None),
        ("Window light falls from the left on a table with a blue vase on the right.", -90, None, None, None),
        ("Light from camera right; it's soft and neutral.", 90, None, 0.49, 5950),
        ("Moody low-key picture of a bust, hard spotlight from the back right.", 135, None, 0.95, None),
        ("Golden hour back light.", 180, 8, None, 3200),
    ],
)  # fmt: skip
def test_ordinary_wordings_are_read(
    text: str, azimuth_deg: float | None, elevation_deg: float | None, hardness: float | None, kelvin: float | None
) -> None:
    claim = only_light(text)
    stated = (
        (azimuth_deg, [arc.center_deg for arc in claim.azimuths_deg]),
        (elevation_deg, [each.typical for each in claim.elevations_deg]),
        (hardness, [each.typical for each in claim.hardness]),
        (kelvin, [each.typical for each in claim.temperatures_k]),
    )
    for expected, found in stated:
        assert expected is None or expected in found, (text, found)
    assert azimuth_deg is not None or not claim.azimuths_deg


@pytest.mark.parametrize(
    "text",
    [
        "light is, " * 100 + "warm x " * 120,
        "light is, " * 1000 + "warm x " * 1000,
        "hard warm light from the left, " * 700,
        "make the " + "x " * 5000,
        "is very, " * 2000 + "warm",
    ],
)
def test_long_and_repetitive_texts_are_read_quickly(text: str) -> None:
    begin_s = time.process_time()
    read_light(text)
    assert time.process_time() - begin_s < 1.0
