"""The photometric family behind a real server."""

import asyncio
import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import skimage.data
from caption_calls import Stub, caption_of, inline, request_for
from scenes import (
    Lamp,
    Scene,
    arrived_light,
    clip_bytes,
    png_bytes,
    put_png,
    sphere_scene,
    subject_of,
)

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import (
    camera_pb2,
    light_pb2,
    model_pb2,
    model_pb2_grpc,
    scene_pb2,
)
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy, call_unary


async def test_the_model_is_described(channel: grpc.aio.Channel) -> None:
    stub = model_pb2_grpc.ModelServiceStub(channel)
    model = (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model
    assert (model.family, list(model.contracts)) == ("photometric", ["lumenmill.captioner.v1.CaptionerService"])
    assert model.licences[0].allows_commercial_use


async def test_a_photograph_is_measured_and_nothing_is_invented(stub: Stub, store: ArtifactStore) -> None:
    photograph = put_png(store, skimage.data.astronaut() / 255.0)
    result = await caption_of(stub, photograph)
    assert "cannot" not in result.text and "unknown" not in result.text
    assert not re.search(r"\b(astronaut|woman|person|left|right)\b", result.text.lower())
    assert not re.search(r"\bexposure is low|dark overall\b", result.text)  # a well-exposed portrait with a dark suit
    assert result.text.endswith(result.light_text) and not result.HasField("error")
    measured = result.measurement
    assert not measured.attributes.HasField("azimuth_deg") and "azimuth_deg" not in measured.confidences
    assert "dominant_colors" in measured.methods and "luminance_contrast_ev" in result.scores
    # The range of tones is that of the suit and the background as well; it is a score and no attribute of light.
    assert not measured.attributes.HasField("contrast_ev") and "contrast_ev" not in measured.methods
    assert not re.search(r"\b(contrast|tones|exposure|black)\b", result.light_text.lower())
    assert sum(color.fraction for color in measured.dominant_colors) == pytest.approx(1.0, abs=0.01)
    assert {"exposure_clipped_fraction", "sharpness"} <= set(result.scores)


async def test_arrived_light_is_described_and_requested_light_compared(stub: Stub, store: ArtifactStore) -> None:
    lamp = Lamp(-60, 30, 2700)
    subject = subject_of(store, sphere_scene(lamp, even=0.02), lamp, camera_azimuth_deg=40)
    subject.arrived_light.CopyFrom(arrived_light(lamp))
    subject.built_scene.CopyFrom(scene_pb2.SceneDescription(description="a plaster sphere before a grey backdrop"))
    result = await call_heavy(stub.Caption, request_for(subject))
    assert result.text.startswith("A plaster sphere before a grey backdrop. ")
    assert re.search(r"\bleft\b", result.light_text) and not re.search(r"\bright\b", result.light_text)
    assert any(word in result.light_text.lower() for word in ("amber", "golden", "warm"))
    assert result.error.direction_deg < 0.1 and abs(result.error.color_temperature_mired) < 1.0
    assert result.requested_attributes.azimuth_deg == pytest.approx(-60, abs=0.01)
    assert result.measurement_error.direction_deg < 5.0
    assert abs(result.measurement_error.color_temperature_mired) < 25.0
    assert result.measurement.attributes.azimuth_deg == pytest.approx(-60, abs=5)
    assert not result.contradictions


async def test_a_light_that_does_not_reach_the_picture_is_not_claimed(stub: Stub, store: ArtifactStore) -> None:
    subject = subject_of(store, sphere_scene(Lamp(-40, 30, 6000)), Lamp(120, 70, 2300))
    result = await call_heavy(stub.Caption, request_for(subject))
    assert "left" in result.light_text and "warm" not in result.light_text and "behind" not in result.light_text
    assert result.error.direction_deg > 60 and abs(result.error.color_temperature_mired) > 150


@pytest.mark.parametrize(
    ("rgb", "name"), [((1.0, 0.1, 0.9), "magenta"), ((0.05, 0.9, 0.8), "teal"), ((1.0, 0.02, 0.02), "red")]
)
async def test_coloured_light_is_named_by_its_colour(
    stub: Stub, store: ArtifactStore, rgb: tuple[float, float, float], name: str
) -> None:
    scene = sphere_scene(Lamp(-40, 30, 6500))
    subjects = [subject_of(store, scene, Lamp(-40, 30, 6500)) for _ in range(2)]
    for subject, lamp in zip(subjects, (Lamp(-40, 30, 6500), Lamp(-40, 30, 6500)), strict=True):
        subject.arrived_light.CopyFrom(arrived_light(lamp))
    source = subjects[1].arrived_light.sources[0]
    source.color.red, source.color.green, source.color.blue = rgb
    source.attributes.ClearField("color_temperature_k")
    subjects[1].arrived_light.attributes.ClearField("color_temperature_k")
    caption = await call_heavy(stub.Caption, request_for(subjects[1]))
    assert name in caption.light_text
    request = captioner_pb2.CompareLightRequest(before=subjects[0], after=subjects[1])
    request.job.request_id = f"to-{name}"
    change = await call_heavy(stub.CompareLight, request)
    assert change.instruction == f"Make the light {name}."
    assert list(change.changed_attributes) == ["color_temperature_k"]


async def test_subjects_of_a_structured_scene_are_named(stub: Stub, store: ArtifactStore) -> None:
    subject = subject_of(store, sphere_scene(Lamp(0, 20)))
    scene = scene_pb2.SceneDescription(subjects=["urn", "apple"], materials=["iron", "natural"], place="on a table")
    subject.built_scene.CopyFrom(scene)
    result = await call_heavy(stub.Caption, request_for(subject))
    assert result.text.startswith("An iron urn and an apple on a table. ")


async def test_an_environment_map_is_read(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    path = data_dir / "hdri" / "kloppenheim_05_1k.hdr"
    if not path.exists():
        pytest.skip(f"no {path}")
    artifact = store.put_file(path, "image/vnd.radiance", name=path.name)
    source = light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight(map=artifact, rotation_deg=30))
    subject = subject_of(store, sphere_scene(Lamp(0, 50)))
    subject.requested_light.CopyFrom(light_pb2.Light(sources=[source]))
    result = await call_heavy(stub.Caption, request_for(subject))
    assert result.requested_attributes.HasField("azimuth_deg") and result.HasField("error")
    assert "kloppenheim" not in result.light_text  # it was only requested


async def test_the_text_is_the_same_for_the_same_seed_and_varies_with_others(stub: Stub, store: ArtifactStore) -> None:
    lamp = Lamp(60, 30, 3000)
    subject = subject_of(store, sphere_scene(lamp), lamp)
    texts = [
        (await call_heavy(stub.Caption, request_for(subject, f"r{index}", seed=seed))).light_text
        for index, seed in enumerate((1, 1, 2, 3, 4, 5))
    ]
    assert texts[0] == texts[1] and len(set(texts)) >= 3
    assert all(re.search(r"\bright\b", text) and not re.search(r"\bleft\b", text) for text in texts)


async def test_a_clip_that_grows_brighter(stub: Stub, store: ArtifactStore) -> None:
    scene = sphere_scene(Lamp(-40, 30, 4000), even=0.1, side_px=128)
    frames = [Scene(scene.normals, scene.albedo, scene.linear * 2.0**ev).display for ev in np.linspace(-2, 1, 24)]
    clip = store.put_bytes(clip_bytes(frames), "video/mp4")
    result = await caption_of(stub, clip)
    samples = result.measurement.samples
    assert len(samples) == 8 and samples[0].time_s == 0.0
    assert [sample.time_s for sample in samples] == sorted({sample.time_s for sample in samples})
    assert "brighter over the clip" in result.light_text and "clip" in result.text


async def test_light_that_arrives_in_a_clip_is_described(stub: Stub, store: ArtifactStore) -> None:
    clip = store.put_bytes(clip_bytes([sphere_scene(Lamp(-60, 30), side_px=96).display] * 10), "video/mp4")
    camera = camera_pb2.Camera(path=camera_pb2.CameraPath(orbit=camera_pb2.OrbitMove(sweep_deg=30)))
    subject = captioner_pb2.Subject(media=clip, camera=camera)
    frame_deg = [0.0, 4.7, 15.0, 25.3, 30.0]  # 3t² − 2t³ of the orbit
    for index, turn_deg in enumerate(frame_deg):
        share = index / 4.0
        kelvin = 1e6 / (1e6 / 5500 + share * (1e6 / 2500 - 1e6 / 5500))
        lamp = Lamp(-70.0 + 140.0 * share - turn_deg, 30, kelvin)
        subject.arrived_moments.add(time_s=share * 0.75, light=arrived_light(lamp))
    result = await call_heavy(stub.Caption, request_for(subject))
    text = result.light_text
    assert "The camera orbits 30 degrees to the right." in text
    assert "The key light swings from the left to the right, across the front." in text
    assert re.search(r"By the end the light is much warmer \((amber|golden|tungsten-warm)\)\.", text)
    assert not result.contradictions


@pytest.mark.parametrize(("times_s", "index"), [((0.0, 0.0), 1), ((0.0, 0.5, 0.25), 2), ((1.0, 0.0), 1)])
async def test_moments_out_of_order_are_refused(
    stub: Stub, store: ArtifactStore, times_s: tuple[float, ...], index: int
) -> None:
    clip = store.put_bytes(clip_bytes([np.full((32, 32, 3), 0.5)] * 4), "video/mp4")
    subject = captioner_pb2.Subject(media=clip)
    for time_s in times_s:
        subject.arrived_moments.add(time_s=time_s, light=arrived_light(Lamp(-70.0, 30)))
    with pytest.raises(errors.InvalidArgumentError, match="must rise") as refused:
        await call_heavy(stub.Caption, request_for(subject))
    assert refused.value.field == f"subject.arrived_moments[{index}].time_s"


async def test_the_same_id_joins_and_another_request_is_refused(stub: Stub, store: ArtifactStore) -> None:
    subject = subject_of(store, sphere_scene(Lamp(-30, 30)))
    first, second = await asyncio.gather(*(call_heavy(stub.Caption, request_for(subject, "same")) for _ in range(2)))
    third = await call_heavy(stub.Caption, request_for(subject, "same"))
    assert first == second == third
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(stub.Caption, request_for(subject, "same", seed=5))
    assert refused.value.field == "job.request_id"


async def test_a_cancelled_call_stops_the_work(stub: Stub, store: ArtifactStore) -> None:
    frames = [np.random.default_rng(i).random((360, 640, 3)) for i in range(8)] * 20
    clip = store.put_bytes(clip_bytes(frames), "video/mp4")
    call = stub.Caption(request_for(captioner_pb2.Subject(media=clip), "long"))
    async for event in call:
        if event.WhichOneof("event") == "progress":
            break
    call.cancel()
    async with asyncio.timeout(6):
        await caption_of(stub, inline(png_bytes(np.full((32, 32, 3), 0.5)), "image/png"), "next")
