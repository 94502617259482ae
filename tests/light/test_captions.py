"""Captions and instructions are true to the light that arrived, for random lights of every kind."""

import itertools
import math
import re
from functools import partial
from random import Random

import pytest

from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill_captioner.families.photometric.clip import arrived_motion, in_first_frame
from lumenmill_captioner.measure import ClipMotion
from lumenmill_captioner.requested.frames import camera_frame
from lumenmill_captioner.words import Lighting, MotionContext, Words, arrived_lighting, changes_between, motion_text
from lumenmill_captioner.words.arrived import arrived_text
from lumenmill_captioner.words.shown import Shown, is_from_all_around
from lumenmill_light import build, vocabulary
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import wrap_deg
from lumenmill_light.contradictions import contradictions
from lumenmill_light.difference import difference
from lumenmill_light.instruction_problems import instruction_problems
from lumenmill_light.instructions import instructed_light
from lumenmill_light.path import light_at
from lumenmill_light.source_attributes import source_attributes
from lumenmill_light.visible_lights import visible_lights

from .arrived_lights import arrived_of, random_arrived
from .random_lights import LIGHTS, WRITERS, radiance_of

NUM_LIGHTS, NUM_CLIPS = 500, 150
ARRIVED = [random_arrived(seed) for seed in range(NUM_LIGHTS)]
WARM_LEFT = build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(2600))
COOL_RIGHT = build.area_light(75.0, 30.0, 2.5, 2.5, 4.0, math.pi, build.kelvin(9000))
MAGENTA_LEFT = build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, math.pi, build.rgb(vocabulary.GEL_COLORS["magenta"]))
RED_LEFT = build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, math.pi, build.rgb(vocabulary.GEL_COLORS["red"]))
RED_RIGHT = build.area_light(75.0, 30.0, 2.5, 2.5, 4.0, math.pi, build.rgb(vocabulary.GEL_COLORS["red"]))
EVEN_FILL = build.spherical_harmonics_light(0.0, 0.0, 0.0, 1.0, (1.0, 1.0, 1.0))


def shown_of(light: light_pb2.ArrivedLight, brightness_ev: float = 0.0) -> Shown:
    """A picture that shows where the light comes from."""
    seen = light.attributes
    if not seen.HasField("azimuth_deg"):
        return Shown(brightness_ev, shading_contrast_ev=0.5)
    return Shown(brightness_ev, seen.azimuth_deg, seen.elevation_deg)


def test_no_caption_contradicts_the_light() -> None:
    texts = [
        arrived_text(light, shown_of(light, (0.0, -2.0, 1.5)[seed % 3]), Words(seed))
        for seed, light in enumerate(ARRIVED)
    ]
    wrong = {text: found for text, light in zip(texts, ARRIVED, strict=True) if (found := contradictions(text, light))}
    assert not wrong
    assert len({text.split(" light")[0] for text in texts}) > NUM_LIGHTS / 4


def test_no_caption_of_a_clip_contradicts_its_light_at_the_start_and_at_the_end() -> None:
    still = ClipMotion(None, None, None, None)
    texts = set()
    for seed in range(NUM_CLIPS):
        camera, moments = random_clip(seed)
        frame_at = partial(camera_frame, camera)
        lights, words = in_first_frame(moments, frame_at), Words(seed)
        context = MotionContext(camera, lights, arrived_motion(moments, frame_at))
        text = (
            f"{arrived_text(moments[0].light, shown_of(moments[0].light), words)} {motion_text(still, context, words)}"
        )
        assert not contradictions(text, moments[0].light, lights[-1]), text
        texts |= {word for word in ("swings", "By the end", "moving camera", "does not change") if word in text}
    assert len(texts) == 4


def test_a_cross_fade_is_no_move() -> None:
    shares = ((1.0, 0.0), (0.7, 0.3), (0.5, 0.5), (0.3, 0.7), (0.0, 1.0))
    fading = [arrived_of([WARM_LEFT, COOL_RIGHT], each) for each in shares]
    moments = [light_pb2.ArrivedMoment(time_s=index, light=light) for index, light in enumerate(fading)]
    frame_at = partial(camera_frame, None)
    context = MotionContext(None, in_first_frame(moments, frame_at), arrived_motion(moments, frame_at))
    text = motion_text(ClipMotion(None, None, None, None), context, Words(0))
    assert text.startswith("The light cross-fades: by the end ") and "from the right" in text
    assert "swings" not in text and "moved" not in text


def random_clip(seed: int) -> tuple[camera_pb2.Camera, list[light_pb2.ArrivedMoment]]:
    """A camera that may orbit, and what arrives at five moments of a light that may move or change."""
    random = Random(seed)  # noqa: S311 - no secrets
    writers = [random.choice(WRITERS) for _ in range(random.choice((1, 1, 2)))]
    first = light_pb2.Light(sources=[writer(random) for writer in writers])
    last = first if random.random() < 0.3 else light_pb2.Light(sources=[writer(random) for writer in writers])
    path = light_pb2.LightPath(interpolation=random.choice((1, 2)))
    for time, light in enumerate((first, last)):
        path.keyframes.add(time_fraction=time, light=light)
    camera = camera_pb2.Camera()
    camera.path.orbit.sweep_deg = random.choice((0.0, random.uniform(-70.0, 70.0)))
    moments = []
    for time in (0.0, 0.25, 0.5, 0.75, 1.0):
        arrived = arrived_of(list(light_at(path, time).sources))
        turn_deg = camera_frame(camera, time).azimuth_deg
        for seen in (arrived.attributes, *(source.attributes for source in arrived.sources)):
            if seen.HasField("azimuth_deg"):
                seen.azimuth_deg = wrap_deg(seen.azimuth_deg - turn_deg)
        moments.append(light_pb2.ArrivedMoment(time_s=2.0 * time, light=arrived))
    return camera, moments


def test_the_caption_of_another_light_contradicts() -> None:
    lying = [
        contradictions(arrived_text(other, shown_of(other), Words(0)), light)
        for light, other in itertools.pairwise(ARRIVED)
    ]
    assert sum(map(bool, lying)) > 0.95 * len(lying)


@pytest.mark.parametrize("source", LIGHTS)
def test_captions_use_the_words_of_the_exact_attributes(source: light_pb2.LightSource) -> None:
    light = light_pb2.Light(sources=[source])
    exact, hue = attributes(light, radiance_of=radiance_of), source_attributes(source, radiance_of).hue
    for seed in range(6):
        text = arrived_text(arrived_of([source]), shown_of(arrived_of([source])), Words(seed)).lower()
        if exact.HasField("color_temperature_k"):
            assert any(word in text for word in vocabulary.TEMPERATURE_K.band(exact.color_temperature_k).words)
        else:
            assert hue in text
        if exact.HasField("azimuth_deg"):
            phrases = [vocabulary.direction_phrase(exact.azimuth_deg, exact.elevation_deg, i) for i in range(4)]
            assert any(phrase in text for phrase in phrases)
        hardness_words = vocabulary.HARDNESS.band(exact.hardness).words
        if is_from_all_around(exact):
            assert not re.search("hard|crisp|diffuse|very soft", text)
        elif exact.elevation_deg < 80.0:
            assert any(word in text for word in hardness_words)
        assert "bright" not in text and "dim" not in text  # a picture of mid grey shows neither


def test_two_colours_are_two_lights_and_what_dominates_comes_first() -> None:
    for seed in range(12):
        text = arrived_text(arrived_of([WARM_LEFT, COOL_RIGHT], [0.4, 0.6]), Shown(0.0), Words(seed))
        assert text.index("right") < text.index("left")
        assert re.search("cool|bluish", text) and re.search("amber|golden|tungsten", text)
        alone = arrived_text(arrived_of([WARM_LEFT, COOL_RIGHT], [0.95, 0.05]), Shown(0.0), Words(seed))
        assert "right" not in alone and "left" in alone


ROOM = build.spherical_harmonics_light(-70.0, 10.0, 0.9, 1.0, (1.0, 1.0, 1.0))
AMBER = build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(2400))


def texts_of(light: light_pb2.ArrivedLight, shown: Shown) -> list[str]:
    return [arrived_text(light, shown, Words(seed)) for seed in range(12)]


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "names_side"), [(-60.0, 20.0, True), (40.0, 10.0, False), (None, None, False)]
)
def test_light_from_all_around_has_a_side_only_where_the_shading_shows_it(
    azimuth_deg: float | None, elevation_deg: float | None, names_side: bool
) -> None:
    for text in texts_of(arrived_of([ROOM]), Shown(0.0, azimuth_deg, elevation_deg)):
        assert ("left" in text) is names_side and "right" not in text and "evenly" not in text
        assert text.startswith("Soft ") and "very soft" not in text and "surroundings" not in text


def test_evenly_is_said_of_flat_unoccluded_light_only() -> None:
    even = arrived_of([EVEN_FILL])
    assert all("evenly" in text for text in texts_of(even, Shown(shading_contrast_ev=0.8)))
    assert not any("evenly" in text for text in texts_of(even, Shown(shading_contrast_ev=2.1)))
    even.sources[0].unoccluded_fraction = 0.4
    assert not any("evenly" in text for text in texts_of(even, Shown(shading_contrast_ev=0.8)))


def test_white_beside_amber_is_cooler_and_gels_keep_their_names() -> None:
    white = build.area_light(60.0, 25.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(5000))
    for text in texts_of(arrived_of([AMBER, white], (0.75, 0.25)), Shown()):
        assert re.search("much cooler fill light", text) and "white" not in text
    magenta = build.area_light(60.0, 25.0, 0.5, 0.5, 4.0, math.pi, build.rgb(vocabulary.GEL_COLORS["magenta"]))
    for text in texts_of(arrived_of([AMBER, magenta], (0.75, 0.25)), Shown()):
        assert "magenta" in text and "cooler" not in text


def test_a_saturated_light_of_nearly_the_same_share_is_an_equal() -> None:
    white = build.area_light(60.0, 25.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(6000))
    for text in texts_of(arrived_of([white, MAGENTA_LEFT], (0.54, 0.46)), Shown()):
        assert text.startswith("Light of two colours: ") and "magenta" in text and "second" not in text
    assert not any("two colours" in text for text in texts_of(arrived_of([white, MAGENTA_LEFT], (0.7, 0.3)), Shown()))


def test_a_second_light_is_described_from_a_share_that_shows() -> None:
    for kelvin, share, is_said in ((2600, 0.18, False), (2600, 0.22, True), (9000, 0.17, True), (9000, 0.13, False)):
        other = build.area_light(75.0, 30.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(kelvin))
        for text in texts_of(arrived_of([WARM_LEFT, other], (1.0 - share, share)), Shown()):
            assert ("right" in text) is is_said, (kelvin, share, text)
    beside = build.area_light(-60.0, 30.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(2800))
    near = build.area_light(-28.0, 30.0, 0.5, 0.5, 4.0, math.pi, build.kelvin(2600))
    assert len(visible_lights(arrived_of([near, beside], (0.6, 0.4)))) == 1


def test_hardness_is_not_said_where_it_is_not_seen() -> None:
    above = build.directional_light(10.0, 85.0, 0.5, math.pi, build.kelvin(5000))
    assert not any(re.search("hard|crisp", text.lower()) for text in texts_of(arrived_of([above]), Shown()))
    hard = build.directional_light(-80.0, 30.0, 0.5, math.pi, build.kelvin(5000))
    assert all(re.search("hard|crisp", text.lower()) for text in texts_of(arrived_of([hard]), Shown(hardness=0.8)))
    assert not any(re.search("hard|crisp", text.lower()) for text in texts_of(arrived_of([hard]), Shown(hardness=0.5)))


def test_the_milder_word_is_used_where_surfaces_show_a_milder_colour() -> None:
    mild, same = (texts_of(arrived_of([AMBER]), Shown(color_temperature_k=kelvin)) for kelvin in (3500.0, 2500.0))
    assert all("warm" in text and not re.search("amber|golden|tungsten", text) for text in mild)
    assert all(re.search("amber|golden|tungsten-warm", text.lower()) for text in same)
    assert not any(contradictions(text, arrived_of([AMBER])) for text in mild)


def test_no_more_than_two_adjectives_stand_without_commas() -> None:
    dim = arrived_of([build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, 0.2 * math.pi, build.kelvin(4000))])
    assert all(re.search(r"dim, [\w ]+, [\w ]+ light", text.lower()) for text in texts_of(dim, Shown(-2.0)))


def test_dim_and_bright_are_said_where_they_are_seen() -> None:
    dim = arrived_of([build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, 0.2 * math.pi, build.kelvin(4000))])
    assert "dim" in arrived_text(dim, Shown(-2.0), Words(0)).lower()
    assert "dim" not in arrived_text(dim, Shown(0.0), Words(0)).lower()


def test_light_that_does_not_arrive_is_darkness() -> None:
    assert re.search("No light|darkness", arrived_text(light_pb2.ArrivedLight(), Shown(-8.0), Words(1)))


def test_instructions_lead_to_the_light_after() -> None:
    wrong, unclear = {}, 0
    for seed, (before, after) in enumerate(itertools.pairwise(ARRIVED)):
        sides = [arrived_lighting(before), arrived_lighting(after)]
        change = changes_between(*sides, Words(seed))
        first, second = visible_lights(before)[0], visible_lights(after)[0]
        made = instructed_light(change.instruction, sides[0].total(), first.hue)
        error = difference(made.attributes, sides[1].total())
        is_right = (
            error.direction_deg <= 30.0
            and error.hardness <= 0.2
            and abs(error.color_temperature_mired) <= 60.0
            and abs(error.intensity_ev) <= 1.0
            and made.hue == second.hue
            and made.attributes.HasField("azimuth_deg") == second.has_direction
        )
        if not is_right or not change.attributes:
            wrong[change.instruction] = error
        unclear += bool(problems_of(change.instruction, *sides))
    assert not wrong
    # Words do not distinguish two lights from all around.
    assert unclear <= 0.01 * NUM_LIGHTS


def problems_of(instruction: str, before: Lighting, after: Lighting) -> list[str]:
    totals, faint = (before.total(), after.total()), (before.faint, after.faint)
    return instruction_problems(instruction, totals, before.lights, after.lights, faint)


@pytest.mark.parametrize(
    ("before", "after", "instruction", "problem"),
    [
        ([WARM_LEFT], [RED_LEFT], "Leave the light as it is.", "2600 K, but the light is of the hue red"),
        ([WARM_LEFT], [RED_LEFT], "Make the light green.", "the hue green, but the light is of the hue red"),
        ([COOL_RIGHT], [RED_RIGHT], "Make the light amber.", "K, but the light is of the hue red"),
        ([RED_RIGHT], [COOL_RIGHT], "Leave the light as it is.", "the hue red, but the light is of"),
        ([WARM_LEFT], [EVEN_FILL], "Leave the light as it is.", "from one side, but .* from all around"),
        ([EVEN_FILL], [WARM_LEFT], "Leave the light as it is.", "from all around, but .* from one side"),
        ([WARM_LEFT], [COOL_RIGHT], "Leave the light as it is.", "of direction"),
        ([WARM_LEFT], [WARM_LEFT, COOL_RIGHT], "Leave the light as it is.", "not lead to the weaker light at azi"),
        ([WARM_LEFT], [WARM_LEFT, COOL_RIGHT], "Add a cool rim light from behind.", "which is not there"),
        ([WARM_LEFT, COOL_RIGHT], [WARM_LEFT], "Leave the light as it is.", "leaves or adds a weaker light at azi"),
        ([WARM_LEFT], [], "Leave the light as it is.", "gone out"),
    ],
)  # fmt: skip
def test_instructions_that_lie_are_found(
    before: list[light_pb2.LightSource], after: list[light_pb2.LightSource], instruction: str, problem: str
) -> None:
    shares = (0.6, 0.4)
    sides = [
        arrived_lighting(arrived_of(each, shares[: len(each)]) if each else light_pb2.ArrivedLight())
        for each in (before, after)
    ]
    assert re.search(problem, " ".join(problems_of(instruction, *sides)))
    assert not problems_of(changes_between(*sides, Words(0)).instruction, *sides)


def test_changes_of_a_weaker_light_are_named() -> None:
    def fill(azimuth_deg: float, elevation_deg: float = 20.0) -> light_pb2.LightSource:
        return build.area_light(azimuth_deg, elevation_deg, 2.0, 2.0, 4.0, math.pi, build.kelvin(2600))

    key = WARM_LEFT
    first = arrived_of([key, fill(45.0)], [0.8, 0.2])
    stops = "brighter by about one and a half stops relative to the key light"
    afters = [
        (arrived_of([key, fill(85.0)], [0.55, 0.45]), f"{stops} and move it from the front right to the right"),
        (arrived_of([key, fill(45.0)], [0.55, 0.45]), stops),
        (arrived_of([key, fill(62.0)], [0.8, 0.2]), "by about 15 degrees|to the right"),
        (arrived_of([key, fill(45.0, 45.0)], [0.8, 0.2]), "from the front right to high up on the front right"),
        (arrived_of([key, fill(45.0)], [0.95, 0.05]), "dimmer by about two .*stops relative to the key light"),
    ]  # fmt: skip
    for after, expected in afters:
        sides = [arrived_lighting(light) for light in (first, after)]
        change = changes_between(*sides, Words(0))
        assert re.search(expected, change.instruction), change.instruction
        assert not problems_of(change.instruction, *sides)
        leave = problems_of("Leave the light as it is.", *sides)
        assert leave or "degrees" in change.instruction or "high up" in change.instruction, (
            "moves by 25° are within words"
        )
    near = arrived_of([key, fill(52.0)], [0.75, 0.25])
    assert not changes_between(arrived_lighting(first), arrived_lighting(near), Words(0)).attributes


@pytest.mark.parametrize(
    ("instruction", "intensity_ev"),
    [
        ("Dim the light by two stops.", -3.0),
        ("Brighten the light by about half a stop.", -0.5),
        ("Dim the light a little.", -1.4),
        ("Dim the light.", -2.0),
        ("Make the light much brighter.", 1.0),
        ("Add a dimmer fill light from the right.", -1.0),
        ("Make the weaker light from the right brighter by about two stops relative to the key light.", -1.0),
        ("Make the light as a whole dimmer by about one stop.", -2.0),
    ],
)
def test_brightness_of_an_instruction_is_read(instruction: str, intensity_ev: float) -> None:
    before = light_pb2.LightAttributes(azimuth_deg=-60, elevation_deg=20, hardness=0.5, intensity_ev=-1)
    assert instructed_light(instruction, before).attributes.intensity_ev == pytest.approx(intensity_ev)


def test_weaker_lights_are_added_removed_and_moved() -> None:
    key = light_pb2.LightAttributes(azimuth_deg=-60, elevation_deg=20)
    right, even = light_pb2.LightAttributes(azimuth_deg=80, elevation_deg=20), light_pb2.LightAttributes()

    def azimuths(instruction: str) -> list[float | None]:
        made = instructed_light(instruction, key, others=(right, even))
        assert made.attributes == key
        return [light.azimuth_deg if light.HasField("azimuth_deg") else None for light in made.others]

    assert azimuths("Remove the weaker light from all around and add a rim light from behind.") == [80, 180]
    assert azimuths("Remove the fill light from the right.") == [None]
    assert azimuths("Move the weaker light from the right to the front.") == [0, None]
    assert azimuths("Turn the weaker light from the right by about 15 degrees to the back and raise it by about 20"
                    " degrees.") == [95, None]  # fmt: skip
    assert azimuths("Keep the fill light.") == [80, None]


@pytest.mark.parametrize(
    ("before", "after", "instruction"),
    [
        ([WARM_LEFT], [COOL_RIGHT], "Make the light .*(cool|bluish).* move it from the left to the right"),
        ([WARM_LEFT], [MAGENTA_LEFT], "Make the light magenta."),
        ([MAGENTA_LEFT], [WARM_LEFT], "Make the light (amber|golden|tungsten-warm)."),
        ([COOL_RIGHT], [EVEN_FILL], "come from all around"),
        ([EVEN_FILL], [COOL_RIGHT], "Let the light come from the right, "),
        ([WARM_LEFT], [WARM_LEFT, COOL_RIGHT], "Add a .*(cool|bluish).* light .*right"),
        ([WARM_LEFT, COOL_RIGHT], [WARM_LEFT], "Remove the .*(cool|bluish).* light .*right"),
    ],
)  # fmt: skip
def test_changes_are_named(
    before: list[light_pb2.LightSource], after: list[light_pb2.LightSource], instruction: str
) -> None:
    shares = (0.6, 0.4)
    sides = [arrived_lighting(arrived_of(each, shares[: len(each)])) for each in (before, after)]
    change = changes_between(*sides, Words(0))
    assert re.search(instruction, change.instruction), change.instruction


def test_brightness_and_back_light_are_named() -> None:
    noon = build.sun_sky_light(30.0, 60.0, 3.0, 1.0, 0.3, 0.53)
    golden = build.sun_sky_light(-177.0, 5.0, 3.0, 1.0, 0.1, 0.53)
    change = changes_between(*(arrived_lighting(arrived_of([each])) for each in (noon, golden)), Words(0))
    assert "from high up on the front right to low behind" in change.instruction and "warmer" in change.instruction
    lamps = [build.area_light(-80.0, 20.0, 0.5, 0.5, 4.0, math.pi * 2.0**ev, build.kelvin(4000)) for ev in (-3.0, 3.0)]
    change = changes_between(*(arrived_lighting(arrived_of([each])) for each in lamps), Words(0))
    assert change.instruction == "Make the light brighter by about six stops."
    assert change.attributes == ("intensity_ev",)
