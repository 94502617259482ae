"""Stills mean what their files say: colour spaces, precision, orientation, transparency, formats."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from lumenmill.common.v1.artifact_pb2 import COLOR_SPACE_SRGB, Artifact
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import (
    decode_light,
    decode_rgb,
    linear_to_srgb,
    read_picture,
    read_rgb,
    read_rgba,
    srgb_to_linear,
)
from lumenmill_media.display_images import still_facts

Pixels = NDArray[np.uint8]
_MAX_PIXELS = 1_000_000
# Display P3 (SMPTE EG 432-1) and its D65 white, as (x, y).
_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
# Linear Display P3 of linear Rec. 709 (both have the same white).
_P3_FROM_709 = np.array([[0.8225, 0.1775, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
_2020_FROM_709 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


@pytest.fixture
def store(tmp_path: object) -> ArtifactStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def scene() -> Pixels:
    """A warm gradient beside white and black: (32, 48, 3) sRGB."""
    ramp = np.linspace(0.15, 0.8, 48)[None, :, None] * np.array([1.0, 0.75, 0.5])
    pixels = np.rint(np.broadcast_to(ramp, (32, 48, 3)) * 255).astype(np.uint8)
    pixels[:4, :8], pixels[:4, 8:16] = 255, 0
    return pixels


def _png(pixels: NDArray[np.generic], *chunks: tuple[bytes, bytes], **options: object) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, data in chunks:
        info.add(name, data)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info, **options)
    return buffer.getvalue()


def _encoded(linear: NDArray[np.floating], encode: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> Pixels:
    return np.rint(np.clip(encode(linear), 0, 1) * 255).astype(np.uint8)


def _linear(pixels: Pixels) -> NDArray[np.float64]:
    return srgb_to_linear(pixels.astype(np.float32) / 255).astype(np.float64)


def _icc(gamma: float, primaries: tuple[tuple[float, float], ...], space: bytes = b"RGB ") -> bytes:
    """Return a matrix profile (ICC.1:2001-04) of a D65 display, or a grey one with only its curve."""
    fixed = lambda value: struct.pack(">i", round(value * 65536))  # noqa: E731
    bradford = np.array([[1.0478, 0.0229, -0.0501], [0.0295, 0.9905, -0.0171], [-0.0093, 0.0150, 0.7521]])
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    adapted = bradford @ (columns * np.linalg.solve(columns, white))
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    xyz = lambda values: b"XYZ " + bytes(4) + b"".join(map(fixed, values))  # noqa: E731
    tags = [(b"wtpt", xyz((0.9642, 1.0, 0.8249)))]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        tags += [(name + b"XYZ", xyz(adapted[:, index])) for index, name in enumerate((b"r", b"g", b"b"))]
        tags += [(name + b"TRC", curve) for name in (b"r", b"g", b"b")]
    tags.append((b"desc", b"desc" + bytes(4) + struct.pack(">I", 2) + b"t\0" + bytes(79)))
    tags.append((b"cprt", b"text" + bytes(4) + b"none\0"))
    offset, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += padded
    size = offset + len(body)
    header = struct.pack(">I4s", size, bytes(4)) + struct.pack(">I", 0x02100000) + b"mntr" + space + b"XYZ "
    header += (
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(fixed, (0.9642, 1.0, 0.8249)))
    )
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _srgb_gamma(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    return linear ** (1 / 2.2)


def _pq(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    power = (linear * 203 / 10000) ** (2610 / 16384)
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    return ((c1 + c2 * power) / (1 + c3 * power)) ** (2523 / 4096 * 128)


_709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def _files(scene: Pixels) -> dict[str, bytes]:
    linear = _linear(scene)
    p3, wide = linear @ _P3_FROM_709.T, linear @ _2020_FROM_709.T
    chrm = struct.pack(">8I", *(round(value * 100000) for xy in ((0.3127, 0.3290), *_P3) for value in xy))
    shown = Image.fromarray(_encoded(p3, _srgb_gamma))
    jpeg, webp = io.BytesIO(), io.BytesIO()
    shown.save(jpeg, "JPEG", quality=98, subsampling=0, icc_profile=_icc(2.2, _P3))
    shown.save(webp, "WEBP", lossless=True, icc_profile=_icc(2.2, _P3))
    return {
        "plain": _png(scene),
        "linear ICC profile": _png(_encoded(linear, lambda values: values), icc_profile=_icc(1.0, _709)),
        "P3 profile": _png(np.asarray(shown), icc_profile=_icc(2.2, _P3)),
        "P3 profile in a JPEG": jpeg.getvalue(),
        "P3 profile in a WebP": webp.getvalue(),
        "gAMA 1": _png(_encoded(linear, lambda values: values), (b"gAMA", struct.pack(">I", 100000))),
        "gAMA and cHRM": _png(_encoded(p3, linear_to_srgb), (b"gAMA", struct.pack(">I", 45455)), (b"cHRM", chrm)),
        "cICP P3": _png(_encoded(p3, linear_to_srgb), (b"cICP", bytes([12, 13, 0, 1]))),
        "cICP BT.2020 PQ": _png(_encoded(wide, _pq), (b"cICP", bytes([9, 16, 0, 1]))),
    }


@pytest.mark.parametrize("name", _files(np.full((1, 1, 3), 99, np.uint8)))
def test_the_same_picture_in_every_colour_space_is_read_alike(store: ArtifactStore, scene: Pixels, name: str) -> None:
    data = _files(scene)[name]
    shown = np.asarray(decode_rgb(data, _MAX_PIXELS), int)
    # 8-bit linear and PQ values are coarse, and the sRGB curve differs from a gamma of 2.2 in the shadows.
    assert np.abs(shown[4:] - scene[4:]).max() <= 5
    # White stays white but for HDR, in which it is rolled off; black stays black.
    assert shown[:4, :8].min() >= (243 if "PQ" in name else 253) and shown[:4, 8:16].max() <= 1
    scene, data = scene[4:], _files(scene[4:])[name]
    read = read_picture(store, Artifact(inline_data=data, media_type="image/png"), "image")
    assert np.allclose(read.linear.mean((0, 1)), _linear(scene).mean((0, 1)), rtol=0.02)
    assert np.allclose(decode_light(data).mean((0, 1)), _linear(scene).mean((0, 1)), rtol=0.02)


def test_light_above_diffuse_white_is_rolled_off_and_keeps_its_hue() -> None:
    linear = np.array([[[4.0, 2.0, 1.0], [0.5, 0.25, 0.125]]])
    data = _png(_encoded(linear @ _2020_FROM_709.T, _pq), (b"cICP", bytes([9, 16, 0, 1])))
    bright, dark = _linear(np.asarray(decode_rgb(data, _MAX_PIXELS)))[0]
    assert 0.95 < bright[0] <= 1 and np.allclose(bright / bright[0], [1, 0.5, 0.25], atol=0.03)
    assert np.allclose(dark, [0.5, 0.25, 0.125], rtol=0.06)


def test_grey_of_16_bits_keeps_its_values(store: ArtifactStore) -> None:
    grey = np.linspace(1000, 60000, 64 * 32).reshape(32, 64).astype(np.uint16)
    assert np.abs(np.asarray(decode_rgb(_png(grey), _MAX_PIXELS))[..., 0] - grey / 257).max() <= 0.51
    read = read_picture(store, Artifact(inline_data=_png(grey), media_type="image/png"), "image")
    assert read.display is not None and np.abs(read.display[..., 0] - grey / 65535).max() < 1e-5
    with_curve = _png(grey, icc_profile=_icc(1.0, _709, b"GRAY"))
    expected = linear_to_srgb((grey / 65535).astype(np.float32)) * 255
    assert np.abs(np.asarray(decode_rgb(with_curve, _MAX_PIXELS))[..., 1] - expected).max() <= 1.5


def test_grey_hdr_of_16_bits_is_rolled_off() -> None:
    signal = np.array([[0.2, 0.4, 0.6, 0.7, 0.8, 1.0]])
    grey = np.rint(signal * 65535).astype(np.uint16)
    shown = np.asarray(decode_rgb(_png(grey, (b"cICP", bytes([9, 16, 0, 1]))), _MAX_PIXELS))[0, :, 0].astype(int)
    assert (np.diff(shown) >= 0).all() and shown[2] < 254 and shown[-1] == 255


def test_grey_with_a_profile_keeps_its_opacity() -> None:
    pixels = np.zeros((4, 4, 2), np.uint8)
    pixels[..., 0], pixels[..., 1] = 55, 255
    pixels[:2, :, 1] = 0
    shown = np.asarray(decode_rgb(_png(pixels, icc_profile=_icc(1.0, _709, b"GRAY")), _MAX_PIXELS))
    assert (shown[0] == 255).all() and np.abs(shown[3].astype(int) - 128).max() <= 1


def test_the_transparent_value_of_16_bit_grey_weighs_nothing(store: ArtifactStore) -> None:
    grey = np.full((16, 16), 30_000, np.uint16)
    grey[:8] = 1000
    plain = _png(grey)
    # The chunk follows the header, which ends at byte 33.
    transparent = struct.pack(">I4sH", 2, b"tRNS", 1000)
    data = plain[:33] + transparent + struct.pack(">I", zlib.crc32(transparent[4:])) + plain[33:]
    read = read_picture(store, Artifact(inline_data=data, media_type="image/png"), "image")
    assert not read.weight[:8].any() and (read.weight[8:] == 1).all()
    assert np.asarray(decode_rgb(data, _MAX_PIXELS))[0, 0].tolist() == [255, 255, 255]


def test_what_lies_under_transparent_pixels_is_not_measured(store: ArtifactStore) -> None:
    rng = np.random.default_rng(3)
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[10:30, 10:30] = [200, 120, 60, 255]
    means = []
    for hidden in (0, 255, None):
        covered = pixels.copy()
        noise = rng.integers(0, 255, (40, 40, 3)) if hidden is None else hidden
        covered[..., :3] = np.where(pixels[..., 3:] == 0, noise, pixels[..., :3])
        for options in ({}, {"icc_profile": _icc(2.2, _P3)}):
            data = _png(covered, **options)
            read = read_picture(store, Artifact(inline_data=data, media_type="image/png"), "image")
            means.append((read.linear * read.weight[..., None]).sum((0, 1)) / read.weight.sum())
    assert np.allclose(means[::2], means[0]) and np.allclose(means[1::2], means[1])


def _saved(format_: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new(mode, (8, 8), color) for color in ("red", "blue")] if "append_images" in options else []
    if frames:
        options["append_images"] = frames[1:]
    (frames[0] if frames else Image.new(mode, (8, 8))).save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (_saved("TIFF"), "is a TIFF image"),
        (_saved("BMP"), "is a BMP image"),
        (_saved("GIF"), "is a GIF image"),
        (_saved("AVIF"), "is an AVIF image"),
        (_saved("JPEG2000"), "is a JPEG 2000 image"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing"),
        (_saved("WEBP", save_all=True, append_images=True), "is an animation of 2 frames"),
        (_saved("PNG", save_all=True, append_images=True), "is an animation of 2 frames"),
        (_saved("JPEG", "CMYK"), "is a CMYK picture without an ICC profile"),
        (_saved("PNG", icc_profile=b"no profile at all"), "has an ICC profile that cannot be read"),
        (_png(np.zeros((2, 2, 3), np.uint8), (b"cICP", bytes([200, 13, 0, 1]))), "cICP 200, 13, 0, 1"),
        (_png(np.zeros((2, 2, 3), np.uint8), (b"gAMA", struct.pack(">I", 1))), "states an invalid gamma"),
        (_png(np.zeros((64, 64, 3), np.uint8))[:60], "is damaged"),
        (b"words", "is not an image format known here"),
    ],
)
def test_what_is_not_read_is_refused_by_its_name(store: ArtifactStore, data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_rgb(data, _MAX_PIXELS)
    artifact = store.put_bytes(data, "image/png")
    with pytest.raises(InvalidArgumentError, match=rf"image: .*{problem}"):
        read_picture(store, artifact, "image")


@pytest.mark.parametrize(
    ("chunks", "is_srgb"),
    [
        ((), True),
        (((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))), True),
        (((b"gAMA", struct.pack(">I", 45_455)),), True),
        (((b"gAMA", struct.pack(">I", 100_000)),), False),
        (((b"cICP", bytes([1, 13, 0, 1])),), True),
        (((b"cICP", bytes([9, 16, 0, 1])),), False),
        (((b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),), False),
    ],
)
def test_facts_name_srgb_only_where_the_values_are_srgb(
    scene: Pixels, chunks: tuple[tuple[bytes, bytes], ...], is_srgb: bool
) -> None:
    facts = still_facts(_png(scene, *chunks))
    assert (facts.width_px, facts.height_px, facts.num_channels) == (48, 32, 3)
    assert (facts.color_space == COLOR_SPACE_SRGB) == is_srgb


def _with_scans(num_more: int) -> bytes:
    """Return a progressive JPEG that repeats its last scan."""
    data = _saved("JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * num_more + data[-2:]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (_with_scans(500), "has more than 100 scans"),
        (
            _saved("JPEG").replace(b"\xff\xdb", b"\xff\xfe\0\2" * 20_000 + b"\xff\xdb", 1),
            "has more than 10000 segments",
        ),
        (_saved("PNG")[:33] + (bytes(4) + b"teXt" + bytes(4)) * 200_000, "has more than 100000 chunks"),
    ],
    ids=["scans", "segments", "chunks"],
)
def test_files_of_more_parts_than_encoders_write_are_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_rgb(data, _MAX_PIXELS)


def test_files_of_many_parts_are_read() -> None:
    assert decode_rgb(_with_scans(50), _MAX_PIXELS).size == (8, 8)
    restarts = _saved("JPEG", restart_marker_blocks=1)
    assert decode_rgb(restarts.replace(b"\xff\xdb", b"\xff\xff\xff\xfe\0\2\xff\xdb", 1), _MAX_PIXELS).size == (8, 8)


def test_damaged_exif_is_passed_over_without_a_warning(scene: Pixels) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(scene).save(buffer, "JPEG", exif=exif)
    data = bytearray(buffer.getvalue())
    at = data.index(b"\x12\x01") if b"\x12\x01" in data else data.index(b"\x01\x12")
    data[at + 4 : at + 8] = b"\x7f" * 4  # the number of values
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_rgb(bytes(data), _MAX_PIXELS).size == (48, 32)
        assert still_facts(bytes(data)).width_px == 48


def test_pictures_stay_as_they_are_when_others_are_read(store: ArtifactStore) -> None:
    files = [Artifact(inline_data=_png(np.full((8, 8, 3), level, np.uint8))) for level in (10, 200)]
    for read in (read_rgb, read_rgba):
        images = [read(store, file, "image") for file in files]
        assert [image.convert("L").getpixel((0, 0)) for image in images] == [10, 200]
