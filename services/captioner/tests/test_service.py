"""The photometric family behind a real server."""

import asyncio
import io
import math
import re
import struct
import zlib
from pathlib import Path

import grpc
import numpy as np
import OpenEXR
import pytest
import skimage.data
from PIL import Image
from scenes import (
    Lamp,
    Scene,
    arrived_light,
    clip_bytes,
    exr_bytes,
    png_bytes,
    put_png,
    sphere_scene,
    stream_bytes,
    subject_of,
)

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import (
    artifact_pb2,
    camera_pb2,
    generation_pb2,
    intrinsics_pb2,
    light_pb2,
    model_pb2,
    model_pb2_grpc,
    scene_pb2,
)
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy, call_unary
from lumenmill_media import decode_exr

Stub = captioner_pb2_grpc.CaptionerServiceStub


def request_for(subject: captioner_pb2.Subject, name: str = "r", **fields: object) -> captioner_pb2.CaptionRequest:
    return captioner_pb2.CaptionRequest(job=generation_pb2.JobOptions(request_id=name), subject=subject, **fields)


def inline(data: bytes, media_type: str) -> artifact_pb2.Artifact:
    return artifact_pb2.Artifact(inline_data=data, media_type=media_type)


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, format_name, **options)
    return target.getvalue()


def sixteen_bit_grey(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


async def caption_of(stub: Stub, artifact: artifact_pb2.Artifact, name: str = "r") -> captioner_pb2.CaptionResult:
    return await call_heavy(stub.Caption, request_for(captioner_pb2.Subject(media=artifact), name))


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


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("jpeg", lambda image: encoded(image, "JPEG"), "image/jpeg"),
        ("webp", lambda image: encoded(image, "WEBP"), "image/webp"),
        ("grey", lambda image: encoded(image.convert("L"), "PNG"), "image/png"),
        ("palette", lambda image: encoded(image.convert("P"), "PNG"), "image/png"),
        ("alpha", lambda image: encoded(image.convert("RGBA"), "PNG"), "image/png"),
        ("grey-16", lambda image: encoded(sixteen_bit_grey(image), "PNG"), "image/png"),
        ("exr", lambda image: exr_bytes((np.asarray(image) / 255.0).astype(np.float32) ** 2.2), "image/x-exr"),
        ("exr-grey", lambda image: exr_bytes((np.asarray(image)[..., :1] / 255.0).astype(np.float32)), "image/x-exr"),
    ],
)  # fmt: skip
async def test_every_common_format_is_read(stub: Stub, name: str, data: object, media_type: str) -> None:
    image = Image.fromarray(skimage.data.astronaut()[::4, ::4])
    result = await caption_of(stub, inline(data(image), media_type))
    plain = await caption_of(stub, inline(encoded(image, "PNG"), "image/png"), "plain")
    change = result.measurement.attributes.intensity_ev - plain.measurement.attributes.intensity_ev
    assert abs(change) < (2.0 if name == "exr-grey" else 0.5)


async def test_exif_orientation_is_applied(stub: Stub, store: ArtifactStore) -> None:
    scene = sphere_scene(Lamp(-60, 30), side_px=128)
    cropped = Scene(scene.normals[:, :96], scene.albedo[:, :96], scene.linear[:, :96])
    upright = Image.fromarray(np.round(np.clip(cropped.display, 0, 1) * 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 8  # stored turned; viewers turn it by 90° counterclockwise
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_270), "JPEG", exif=exif, quality=95)
    subject = subject_of(store, cropped)
    subject.media.CopyFrom(inline(turned, "image/jpeg"))
    with pytest.raises(errors.InvalidArgumentError):  # the maps would not fit the picture as it is stored
        await call_heavy(stub.Caption, request_for(subject_of_stored(subject, upright)))
    result = await call_heavy(stub.Caption, request_for(subject, "upright"))
    assert result.measurement.attributes.azimuth_deg < -30


def subject_of_stored(subject: captioner_pb2.Subject, upright: Image.Image) -> captioner_pb2.Subject:
    stored = captioner_pb2.Subject()
    stored.CopyFrom(subject)
    stored.media.CopyFrom(inline(encoded(upright.transpose(Image.Transpose.ROTATE_270), "JPEG"), "image/jpeg"))
    return stored


def huge_png() -> bytes:
    """A PNG whose header says 60,000 × 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"", "image/png"),
        (b"not a picture", "image/png"),
        (png_bytes(np.random.default_rng(0).random((64, 64, 3)))[:-3000], "image/png"),
        (huge_png(), "image/png"),
        (b"\x76\x2f\x31\x01" + b"\x00" * 40, "image/x-exr"),
        (exr_bytes(np.random.default_rng(0).random((64, 64, 3)).astype(np.float32))[:8000], "image/x-exr"),
        (b"", "video/mp4"),
        (b"\x00\x00\x00\x18ftypisom" + b"\x00" * 200, "video/mp4"),
    ],
    ids=["empty", "text", "truncated", "bomb", "exr-header", "exr-truncated", "empty-clip", "damaged-clip"],
)
async def test_broken_media_is_refused_by_field(stub: Stub, data: bytes, media_type: str) -> None:
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await caption_of(stub, inline(data, media_type))
    assert refused.value.field == "subject.media"


async def test_maps_of_another_size_are_refused_by_field(stub: Stub, store: ArtifactStore) -> None:
    subject = subject_of(store, sphere_scene(Lamp(0, 20), side_px=128))
    subject.media.CopyFrom(put_png(store, np.zeros((64, 64, 3))))
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(stub.Caption, request_for(subject))
    assert refused.value.field == "subject.linear"


async def test_foreign_files_and_instructions_are_refused(stub: Stub) -> None:
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await caption_of(stub, artifact_pb2.Artifact(uri="file:///etc/passwd"))
    assert refused.value.field.startswith("subject.media")
    picture = inline(png_bytes(np.full((32, 32, 3), 0.5)), "image/png")
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(
            stub.Caption, request_for(captioner_pb2.Subject(media=picture), "i", instruction="Count the cats.")
        )
    assert refused.value.field == "instruction"


@pytest.mark.parametrize("pixels", [np.zeros((1, 1, 3)), np.ones((2, 900, 3)), np.zeros((40, 40, 3))])
async def test_odd_pictures_are_measured(stub: Stub, pixels: np.ndarray) -> None:
    result = await caption_of(stub, inline(png_bytes(pixels), "image/png"))
    assert math.isfinite(result.measurement.attributes.intensity_ev)
    assert all(math.isfinite(score) for score in result.scores.values())


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


async def test_real_clips_are_read(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    clips = sorted((data_dir / "video").glob("*.mp4"))[:2]
    for index, path in enumerate(clips):
        result = await caption_of(stub, store.put_file(path, "video/mp4"), f"clip{index}")
        assert len(result.measurement.samples) == 8 and "cannot" not in result.text


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
    async with asyncio.timeout(3):
        await caption_of(stub, inline(png_bytes(np.full((32, 32, 3), 0.5)), "image/png"), "next")


async def test_intrinsic_maps_must_be_exr(stub: Stub, store: ArtifactStore) -> None:
    picture = put_png(store, np.full((32, 32, 3), 0.5))
    normals = intrinsics_pb2.IntrinsicMap(kind=intrinsics_pb2.INTRINSIC_KIND_NORMALS, data=picture)
    with pytest.raises(errors.InvalidArgumentError) as refused:
        await call_heavy(stub.Caption, request_for(captioner_pb2.Subject(media=picture, intrinsics=[normals])))
    assert refused.value.field == "subject.intrinsics[0].data"


async def test_a_clip_that_changes_its_size_is_refused_by_field(stub: Stub) -> None:
    data = stream_bytes(96, 64) + stream_bytes(64, 96)
    with pytest.raises(errors.InvalidArgumentError, match="changes its size") as caught:
        await caption_of(stub, inline(data, "video/mp4"))
    assert caught.value.field == "subject.media"


def test_an_exr_image_is_measured_over_all_parts_and_channels(tmp_path: Path) -> None:
    window = (np.array([0, 0], np.int32), np.array([9, 9], np.int32))
    header = {"type": OpenEXR.scanlineimage, "displayWindow": window}
    names = [f"layer{index}.V" for index in range(9)]
    first = OpenEXR.Part(dict(header), {"RGB": np.zeros((10, 10, 3), np.float16)}, "first")
    large = OpenEXR.Part(
        {**header, "dataWindow": (window[0], np.array([19, 19], np.int32))}, {"Y": np.zeros((20, 20), np.float32)}, "b"
    )
    many = OpenEXR.Part(dict(header), {name: np.zeros((10, 10), np.float16) for name in names}, "c")
    for name, second, problem in (("large", large, "20×20 pixels"), ("many", many, "values in all channels")):
        OpenEXR.File([first, second]).write(str(tmp_path / name))
        with pytest.raises(ValueError, match=problem):
            decode_exr((tmp_path / name).read_bytes(), 200)


async def test_clipping_is_counted_in_every_pixel(stub: Stub) -> None:
    pixels = np.full((1500, 2000, 3), 0.5)
    pixels[::3, ::3] = 1.0
    pixels[1::3, ::3] = 0.0
    result = await caption_of(stub, inline(encoded(to_image(pixels), "PNG"), "image/png"))
    assert result.measurement.clipped_highlights_fraction == pytest.approx(1 / 9, abs=0.01)
    assert result.measurement.clipped_shadows_fraction == pytest.approx(1 / 9, abs=0.01)


def to_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))
