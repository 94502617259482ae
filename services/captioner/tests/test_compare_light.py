"""CompareLight behind a real server: what changed between two pictures."""

import math

import numpy as np
from caption_calls import Stub
from scenes import (
    Lamp,
    Scene,
    arrived_light,
    put_png,
    sphere_scene,
    subject_of,
)

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import (
    generation_pb2,
)
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy


async def test_what_changed_between_arrived_lights(stub: Stub, store: ArtifactStore) -> None:
    before, after = Lamp(-60, 30, 5500), Lamp(65, 30, 2600)
    request = captioner_pb2.CompareLightRequest(
        job=generation_pb2.JobOptions(request_id="c"),
        before=subject_of(store, sphere_scene(before), before),
        after=subject_of(store, sphere_scene(after), after),
    )
    request.before.arrived_light.CopyFrom(arrived_light(before))
    request.after.arrived_light.CopyFrom(arrived_light(after))
    result = await call_heavy(stub.CompareLight, request)
    assert {"azimuth_deg", "color_temperature_k"} == set(result.changed_attributes)
    assert "warmer" in result.instruction and "from the front left to the front right" in result.instruction
    assert "has moved from" in result.text
    assert result.before.attributes.azimuth_deg < 0 < result.after.attributes.azimuth_deg
    assert result.instruction_error.direction_deg < 25.0 and abs(result.instruction_error.color_temperature_mired) < 60


async def test_brightness_is_that_of_the_light_and_not_of_the_exposure(stub: Stub, store: ArtifactStore) -> None:
    lamps = [Lamp(-30, 30, 5500, irradiance=math.pi * 2.0**ev) for ev in (0.0, 6.0)]
    scene = sphere_scene(lamps[0], even=0.2)
    darker = Scene(scene.normals, scene.albedo, scene.linear / 8.0)
    subjects = [captioner_pb2.Subject(media=put_png(store, entry.display)) for entry in (scene, darker)]
    for subject, lamp in zip(subjects, lamps, strict=True):
        subject.arrived_light.CopyFrom(arrived_light(lamp))
    request = captioner_pb2.CompareLightRequest(before=subjects[0], after=subjects[1])
    request.job.request_id = "brighter-light"
    result = await call_heavy(stub.CompareLight, request)
    assert result.instruction == "Make the light brighter by about six stops."
    for subject, exposure_ev in ((request.before, 0.0), (request.after, -6.0)):
        subject.media.image.exposure_ev = exposure_ev
    request.job.request_id = "metered-by-itself"  # the pictures do not show that the light is brighter
    result = await call_heavy(stub.CompareLight, request)
    assert not result.changed_attributes and not result.instruction_error.HasField("intensity_ev")
    assert result.instruction == result.text == "", "the light is not as it was"


async def test_the_light_is_not_left_as_it_is_where_a_weaker_one_changed(stub: Stub, store: ArtifactStore) -> None:
    key, fill, moved = Lamp(-60, 30), Lamp(45, 20), Lamp(85, 20)
    sides = [arrived_light(key, fill, shares=(0.8, 0.2)), arrived_light(key, moved, shares=(0.55, 0.45))]
    request = captioner_pb2.CompareLightRequest(job=generation_pb2.JobOptions(request_id="fill"))
    for subject, arrived in zip((request.before, request.after), sides, strict=True):
        subject.media.CopyFrom(put_png(store, np.full((32, 32, 3), 0.5)))
        subject.arrived_light.CopyFrom(arrived)
    result = await call_heavy(stub.CompareLight, request)
    assert {"azimuth_deg", "contrast_ev"} == set(result.changed_attributes)
    assert "fill light" in result.instruction and "brighter by about one and a half stops" in result.instruction
    assert "from the front right to the right" in result.instruction and not result.instruction_problems


async def test_light_of_unknown_colour_is_not_left_as_it_is(stub: Stub, store: ArtifactStore) -> None:
    request = captioner_pb2.CompareLightRequest(job=generation_pb2.JobOptions(request_id="unknown"))
    for subject in (request.before, request.after):
        subject.media.CopyFrom(put_png(store, np.full((32, 32, 3), 0.5)))
        subject.arrived_light.CopyFrom(arrived_light(Lamp(-60, 30)))
    source = request.after.arrived_light.sources[0]
    source.ClearField("color")
    source.attributes.ClearField("color_temperature_k")
    result = await call_heavy(stub.CompareLight, request)
    assert result.instruction == "", "a colour that is not known may have changed"


async def test_what_changed_is_not_guessed_when_it_is_not_known(stub: Stub, store: ArtifactStore) -> None:
    scene = sphere_scene(Lamp(-30, 30), even=0.2)
    brighter = Scene(scene.normals, scene.albedo, scene.linear * 3.0)
    photographs = [captioner_pb2.Subject(media=put_png(store, entry.display)) for entry in (scene, brighter)]
    options = generation_pb2.JobOptions(request_id="c")
    result = await call_heavy(
        stub.CompareLight, captioner_pb2.CompareLightRequest(job=options, before=photographs[0], after=photographs[1])
    )
    # Light or exposure: a photograph does not say which, and it is not said that nothing changed.
    assert result.instruction == result.text == "" and not result.changed_attributes
    options.request_id = "same"
    same = await call_heavy(
        stub.CompareLight, captioner_pb2.CompareLightRequest(job=options, before=photographs[0], after=photographs[0])
    )
    assert not same.changed_attributes and same.instruction == "Leave the light as it is."
