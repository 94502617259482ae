"""Files that are captioned: formats, orientation, odd and broken ones."""

import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
import skimage.data
from caption_calls import Stub, caption_of, inline, request_for
from PIL import Image
from scenes import (
    Lamp,
    Scene,
    exr_bytes,
    png_bytes,
    put_png,
    sphere_scene,
    stream_bytes,
    subject_of,
)

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import (
    artifact_pb2,
    intrinsics_pb2,
)
from lumenmill_common import errors
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.calls import call_heavy
from lumenmill_media import decode_exr


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, format_name, **options)
    return target.getvalue()


def sixteen_bit_grey(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


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
    change = result.scores["shown_brightness_ev"] - plain.scores["shown_brightness_ev"]
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
    assert math.isfinite(result.scores["shown_brightness_ev"])
    assert all(math.isfinite(score) for score in result.scores.values())


async def test_real_clips_are_read(stub: Stub, store: ArtifactStore, data_dir: Path) -> None:
    clips = sorted((data_dir / "video").glob("*.mp4"))[:2]
    for index, path in enumerate(clips):
        result = await caption_of(stub, store.put_file(path, "video/mp4"), f"clip{index}")
        assert len(result.measurement.samples) == 8 and "cannot" not in result.text


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
