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
    clip_bytes,
    exr_bytes,
    png_bytes,
    put_png,
    requested_light,
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
    assert "cannot be determined" in result.light_text
    assert not re.search(r"\b(astronaut|woman|person|left|right)\b", result.text.lower())
    assert not re.search(r"\bexposure is low|dark overall\b", result.text)  # a well-exposed portrait with a dark suit
    assert result.text.endswith(result.light_text) and not result.HasField("error")
    measured = result.measurement
    assert not measured.attributes.HasField("azimuth_deg") and not measured.HasField("direction_confidence")
    assert set(measured.methods) >= {"intensity_ev", "contrast_ev", "color_temperature_k", "dominant_colors"}
    assert sum(color.fraction for color in measured.dominant_colors) == pytest.approx(1.0, abs=0.01)
    assert {"exposure_clipped_fraction", "sharpness"} <= set(result.scores)


async def test_requested_light_is_described_and_compared(stub: Stub, store: ArtifactStore) -> None:
    lamp = Lamp(-60, 30, 2700)
    subject = subject_of(store, sphere_scene(lamp, even=0.02), lamp, camera_azimuth_deg=40)
    subject.scene.CopyFrom(scene_pb2.SceneDescription(description="a plaster sphere before a grey backdrop"))
    result = await call_heavy(stub.Caption, request_for(subject))
    assert result.text.startswith("A plaster sphere before a grey backdrop. ")
    assert re.search(r"\bleft\b", result.light_text) and not re.search(r"\bright\b", result.light_text)
    assert any(word in result.light_text.lower() for word in ("amber", "golden", "warm"))
    assert result.error.direction_deg < 5.0
    assert abs(result.error.color_temperature_mired) < 25.0
    assert abs(result.error.intensity_ev) < 0.6
    assert result.measurement.attributes.azimuth_deg == pytest.approx(-60, abs=5)


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
    color = subjects[1].requested_light.sources[0].directional.color.rgb
    color.red, color.green, color.blue = rgb
    subjects[1].ClearField("intrinsics")
    caption = await call_heavy(stub.Caption, request_for(subjects[1]))
    assert name in caption.light_text
    subjects[0].ClearField("intrinsics")
    request = captioner_pb2.CompareLightRequest(before=subjects[0], after=subjects[1])
    request.job.request_id = f"to-{name}"
    change = await call_heavy(stub.CompareLight, request)
    assert f"make the colour of the light {name}" in change.instruction.lower()
    assert "brighter" not in change.instruction and "dimmer" not in change.instruction


async def test_subjects_of_a_structured_scene_are_named(stub: Stub, store: ArtifactStore) -> None:
    subject = subject_of(store, sphere_scene(Lamp(0, 20)))
    scene = scene_pb2.SceneDescription(subjects=["urn", "apple"], materials=["iron", "natural"], place="on a table")
    subject.scene.CopyFrom(scene)
    result = await call_heavy(stub.Caption, request_for(subject))
    assert result.text.startswith("An iron urn and an apple on a table. ")


async def test_an_environment_map_is_read(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    path = data_dir / "hdri" / "urban_alley_01_1k.hdr"
    if not path.exists():
        pytest.skip(f"no {path}")
    artifact = store.put_file(path, "image/vnd.radiance", name=path.name)
    source = light_pb2.LightSource(environment_map=light_pb2.EnvironmentMapLight(map=artifact, rotation_deg=30))
    subject = subject_of(store, sphere_scene(Lamp(0, 50)))
    subject.requested_light.CopyFrom(light_pb2.Light(sources=[source]))
    result = await call_heavy(stub.Caption, request_for(subject))
    assert "urban alley" in result.light_text and result.HasField("error")


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


async def test_a_requested_light_path_is_described(stub: Stub, store: ArtifactStore) -> None:
    clip = store.put_bytes(clip_bytes([sphere_scene(Lamp(-60, 30), side_px=96).display] * 10), "video/mp4")
    path = light_pb2.LightPath(
        interpolation=light_pb2.LIGHT_INTERPOLATION_MOVE,
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=0, light=requested_light(Lamp(-70, 30, 5500))),
            light_pb2.LightKeyframe(time_fraction=1, light=requested_light(Lamp(70, 30, 2500))),
        ],
    )
    camera = camera_pb2.Camera(path=camera_pb2.CameraPath(orbit=camera_pb2.OrbitMove(sweep_deg=30)))
    subject = captioner_pb2.Subject(media=clip, requested_light_path=path, camera=camera)
    text = (await call_heavy(stub.Caption, request_for(subject))).light_text
    assert "The camera orbits 30 degrees to the right." in text
    assert "The key light swings from the left to the right, across the front." in text
    assert "By the end the colour of the light is much warmer." in text


async def test_real_clips_are_read(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    clips = sorted((data_dir / "video").glob("*.mp4"))[:2]
    for index, path in enumerate(clips):
        result = await caption_of(stub, store.put_file(path, "video/mp4"), f"clip{index}")
        assert (
            len(result.measurement.samples) == 8 and "direction" in result.text
        ) or "cannot be determined" in result.text


async def test_what_changed_between_requested_lights(stub: Stub, store: ArtifactStore) -> None:
    before, after = Lamp(-60, 30, 5500), Lamp(65, 30, 2600)
    request = captioner_pb2.CompareLightRequest(
        job=generation_pb2.JobOptions(request_id="c"),
        before=subject_of(store, sphere_scene(before), before),
        after=subject_of(store, sphere_scene(after), after),
    )
    result = await call_heavy(stub.CompareLight, request)
    assert {"azimuth_deg", "color_temperature_k"} <= set(result.changed_attributes)
    assert "elevation_deg" not in result.changed_attributes
    assert result.instruction.startswith("Move ") and "warmer" in result.instruction
    assert result.instruction.index("left") < result.instruction.index("right")
    assert "has moved from" in result.text
    assert result.before.attributes.azimuth_deg < 0 < result.after.attributes.azimuth_deg


async def test_what_changed_is_measured_when_no_light_was_requested(stub: Stub, store: ArtifactStore) -> None:
    scene = sphere_scene(Lamp(-30, 30), even=0.2)
    brighter = Scene(scene.normals, scene.albedo, scene.linear * 3.0)
    photographs = [captioner_pb2.Subject(media=put_png(store, entry.display)) for entry in (scene, brighter)]
    options = generation_pb2.JobOptions(request_id="c")
    result = await call_heavy(
        stub.CompareLight, captioner_pb2.CompareLightRequest(job=options, before=photographs[0], after=photographs[1])
    )
    assert "intensity_ev" in result.changed_attributes and "azimuth_deg" not in result.changed_attributes
    assert result.instruction == "Make the light brighter by about one stop." and "brighter" in result.text
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
