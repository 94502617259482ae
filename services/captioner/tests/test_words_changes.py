"""Instructions say what changed as a viewer of both pictures sees it."""

import re

import pytest

from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words import Words, are_comparable, arrived_lighting, as_shown, changes_between
from lumenmill_captioner.words.shown import Shown

AREA, DIRECTIONAL, DAYLIGHT = (
    light_pb2.LIGHT_KIND_AREA,
    light_pb2.LIGHT_KIND_DIRECTIONAL,
    light_pb2.LIGHT_KIND_SUN_SKY,
)
MAP, HARMONICS = light_pb2.LIGHT_KIND_ENVIRONMENT_MAP, light_pb2.LIGHT_KIND_SPHERICAL_HARMONICS
UNSEEN = Shown()


def source(kind: "light_pb2.LightKind.ValueType", share: float = 1.0, **changes: float) -> light_pb2.ArrivedSource:
    look = {"azimuth_deg": -60.0, "elevation_deg": 30.0, "hardness": 0.5, "color_temperature_k": 5000.0} | changes
    return light_pb2.ArrivedSource(
        attributes=light_pb2.LightAttributes(kinds=[kind], **look), share=share, unoccluded_fraction=1.0
    )


def arrived(*sources: light_pb2.ArrivedSource) -> light_pb2.ArrivedLight:
    for index, each in enumerate(sources):
        each.source_index = index
    return light_pb2.ArrivedLight(attributes=sources[0].attributes, sources=sources)


def instruction(before: light_pb2.ArrivedLight, after: light_pb2.ArrivedLight, shown: Shown = UNSEEN) -> str:
    sides = [as_shown(arrived_lighting(light), shown) for light in (before, after)]
    return changes_between(*sides, Words(0)).instruction


def test_light_from_all_around_is_not_moved_between_sides_that_are_not_seen() -> None:
    left, right = (source(HARMONICS, azimuth_deg=azimuth_deg, hardness=0.0) for azimuth_deg in (-60.0, 60.0))
    warm = source(HARMONICS, azimuth_deg=60.0, hardness=0.0, color_temperature_k=2500.0)
    assert re.fullmatch(r"Make the light much warmer \([\w-]+\)\.", instruction(arrived(left), arrived(warm)))
    sides = [as_shown(arrived_lighting(arrived(light)), UNSEEN) for light in (left, right)]
    assert not changes_between(*sides, Words(0)).attributes
    assert not are_comparable(*sides), "it is not left as it is either"
    assert are_comparable(sides[0], sides[0])
    seen = [
        as_shown(arrived_lighting(arrived(light)), Shown(azimuth_deg=azimuth_deg, elevation_deg=30.0))
        for light, azimuth_deg in ((left, -50.0), (right, 70.0))
    ]
    assert "from the front left to the front right" in changes_between(*seen, Words(0)).instruction


def test_a_lamp_is_replaced_by_light_from_all_around() -> None:
    found = instruction(arrived(source(AREA)), arrived(source(HARMONICS, azimuth_deg=80.0, hardness=0.0)))
    assert "come from all around" in found and "right" not in found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([source(DAYLIGHT, hardness=0.95)], [source(MAP, azimuth_deg=60.0, hardness=0.95)]),
        ([source(AREA)], [source(MAP, azimuth_deg=60.0, hardness=0.95)]),
        (
            [source(DAYLIGHT, hardness=0.95)],
            [source(DIRECTIONAL, 0.7, azimuth_deg=60.0), source(DAYLIGHT, 0.3, hardness=0.2)],
        ),
    ],
)
def test_what_is_there_as_well_or_looks_the_same_is_not_replaced(
    before: list[light_pb2.ArrivedSource], after: list[light_pb2.ArrivedSource]
) -> None:
    assert "eplace the" not in instruction(arrived(*before), arrived(*after))


def test_daylight_is_replaced_by_a_lamp_alone() -> None:
    assert "eplace the daylight with a lamp" in instruction(
        arrived(source(DAYLIGHT, hardness=0.95)), arrived(source(AREA))
    )


def test_a_small_turn_is_no_move_to_another_height() -> None:
    low = source(AREA, azimuth_deg=-49.0, elevation_deg=9.0)
    found = instruction(arrived(low), arrived(source(AREA, azimuth_deg=-29.0, elevation_deg=16.0)))
    assert found == "Turn the light by about 20 degrees to the right."
    raised = instruction(arrived(low), arrived(source(AREA, azimuth_deg=-49.0, elevation_deg=30.0)))
    assert raised == "Raise the light by about 20 degrees."
