"""Radiance files mean what their headers say, in every coding and orientation."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.artifacts import open_store
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_media import decode_radiance, encode_png, radiance_runs, read_picture, read_radiance_map

Array = NDArray[np.float32]
_MAX_PIXELS = 1_000_000
_HEIGHT, _WIDTH = 16, 32
_XYZ_FROM_709 = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@pytest.fixture
def light() -> Array:
    """A map without symmetry, with flat parts for runs: (16, 32, 3)."""
    image = np.full((_HEIGHT, _WIDTH, 3), [0.8, 0.6, 0.4], np.float32)
    image[3:6, 20:26] = [40.0, 30.0, 20.0]
    image[10, :] = np.linspace(0.1, 3.0, _WIDTH)[:, None]
    return image


def _quads(image: Array) -> NDArray[np.uint8]:
    mantissa, exponent = np.frexp(image.max(-1))
    scaled = image * (mantissa * 256 / image.max(-1))[..., None]
    return np.concatenate([scaled.astype(np.uint8), (exponent + 128)[..., None].astype(np.uint8)], axis=-1)


def _flat(quads: NDArray[np.uint8]) -> bytes:
    return quads.tobytes()


def _old_runs(quads: NDArray[np.uint8]) -> bytes:
    """Code all pixels as one series, runs over the ends of scanlines included; lengths above 255 take a second quad."""
    series, data, at = quads.reshape(-1, 4), bytearray(), 0
    while at < len(series):
        same = at + 1
        while same < len(series) and (series[same] == series[at]).all():
            same += 1
        data += series[at].tobytes()
        repeats, at = same - at - 1, same
        while repeats:
            data += bytes([1, 1, 1, repeats & 255])
            repeats >>= 8
    return bytes(data)


def _by_channel(quads: NDArray[np.uint8]) -> bytes:
    data = bytearray()
    for row in quads:
        data += bytes([2, 2, len(row) >> 8, len(row) & 255])
        for channel in row.T:
            for start in range(0, len(channel), 128):
                piece = channel[start : start + 128]
                is_flat = (piece == piece[0]).all() and len(piece) < 128
                data += bytes([128 + len(piece), piece[0]]) if is_flat else bytes([len(piece)]) + piece.tobytes()
    return bytes(data)


def _mixed(quads: NDArray[np.uint8]) -> bytes:
    codings = (_by_channel, _flat, _old_runs)
    return b"".join(codings[index % 3](row[None]) for index, row in enumerate(quads))


def _file(body: bytes, size: str = f"-Y {_HEIGHT} +X {_WIDTH}", *lines: str, magic: str = "#?RADIANCE") -> bytes:
    head = "\n".join([magic, *(lines or ("FORMAT=32-bit_rle_rgbe",))])
    return f"{head}\n\n{size}\n".encode() + body


@pytest.mark.parametrize("coding", [_flat, _old_runs, _by_channel, _mixed])
def test_every_coding_of_scanlines_is_read(light: Array, coding: object) -> None:
    data = _file(coding(_quads(light)))  # type: ignore[operator]
    assert np.allclose(decode_radiance(data, _MAX_PIXELS), light, rtol=0.02)


@pytest.mark.parametrize(
    ("size", "turn"),
    [
        ("+Y 16 +X 32", lambda image: image[::-1]),
        ("-Y 16 -X 32", lambda image: image[:, ::-1]),
        ("+Y 16 -X 32", lambda image: image[::-1, ::-1]),
        ("+X 32 -Y 16", lambda image: image.transpose(1, 0, 2)),
        ("-X 32 +Y 16", lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_every_orientation_is_read_upright(light: Array, size: str, turn: object) -> None:
    stored = np.ascontiguousarray(turn(_quads(light)))  # type: ignore[operator]
    for coding in (_flat, _by_channel):
        assert np.allclose(decode_radiance(_file(coding(stored), size), _MAX_PIXELS), light, rtol=0.02)


def test_exposures_and_colour_corrections_are_undone(light: Array) -> None:
    lines = ("EXPOSURE=4.0", "EXPOSURE= 0.5", "COLORCORR=1.0 2.0 0.5", "FORMAT=32-bit_rle_rgbe")
    written = light * 2.0 * np.array([1.0, 2.0, 0.5], np.float32)
    data = _file(_by_channel(_quads(written)), f"-Y {_HEIGHT} +X {_WIDTH}", *lines)
    assert np.allclose(decode_radiance(data, _MAX_PIXELS), light, rtol=0.03)


def test_other_primaries_and_xyz_are_the_same_light(light: Array) -> None:
    size = f"-Y {_HEIGHT} +X {_WIDTH}"
    xyz = (light @ _XYZ_FROM_709.T).astype(np.float32)
    assert np.allclose(
        decode_radiance(_file(_flat(_quads(xyz)), size, "FORMAT=32-bit_rle_xyze"), _MAX_PIXELS), light, rtol=0.06
    )
    wide = (light @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T).astype(
        np.float32
    )
    primaries = "PRIMARIES=0.708 0.292 0.170 0.797 0.131 0.046 0.3127 0.3290"
    data = _file(_flat(_quads(wide)), size, primaries, "FORMAT=32-bit_rle_rgbe")
    assert np.allclose(decode_radiance(data, _MAX_PIXELS), light, rtol=0.06)


def test_white_stays_white_under_the_default_primaries_of_radiance(light: Array) -> None:
    primaries = "PRIMARIES=0.640 0.330 0.290 0.600 0.150 0.060 0.333 0.333"
    grey = np.full((_HEIGHT, _WIDTH, 3), 0.5, np.float32)
    data = _file(_flat(_quads(grey)), f"-Y {_HEIGHT} +X {_WIDTH}", primaries, "FORMAT=32-bit_rle_rgbe")
    assert np.allclose(decode_radiance(data, _MAX_PIXELS), 0.5, atol=0.01)


def test_primaries_of_zeros_are_not_stated(light: Array) -> None:
    lines = ("PRIMARIES=0 0 0 0 0 0 0 0", "FORMAT=32-bit_rle_rgbe")
    data = _file(_flat(_quads(light)), f"-Y {_HEIGHT} +X {_WIDTH}", *lines)
    assert np.allclose(decode_radiance(data, _MAX_PIXELS), light, rtol=0.02)


def test_other_first_lines_and_line_ends_are_read(light: Array) -> None:
    body = _flat(_quads(light))
    for data in (_file(body, magic="#?RGBE"), _file(body, magic="#?AUTOPANO11"), _file(b"")[:-1] + b"\n" + body):
        assert np.allclose(decode_radiance(data, _MAX_PIXELS), light, rtol=0.02)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (_file(b""), "truncated or damaged"),
        (_file(bytes([1, 1, 1, 9])), "truncated or damaged"),
        (_file(bytes(4 * _WIDTH)), "truncated or damaged"),
        (_file(bytes([2, 2, 0, _WIDTH, 0])), "truncated or damaged"),
        (_file(b"", "-Y 99999 +X 99999"), "99999×99999 pixels"),
        (_file(b"", "-Y 16 +Y 16"), "not a readable Radiance image"),
        (_file(b"", "-Y 16 +X 32", "FORMAT=32-bit_rle_xyzq"), "of format '32-bit_rle_xyzq'"),
        (_file(b"", "-Y 16 +X 32", "EXPOSURE=0"), "EXPOSURE=0"),
        (_file(b"", "-Y 16 +X 32", "EXPOSURE=nan"), "EXPOSURE=nan"),
        (_file(b"", "-Y 16 +X 32", "COLORCORR=1 2"), "COLORCORR=1 2"),
        (_file(b"", "-Y 16 +X 32", "PRIMARIES=1 2 3"), "PRIMARIES=1 2 3"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode_radiance(data, _MAX_PIXELS)


def _num_lines(call: Callable[[], object]) -> int:
    """Return how many lines of this package are executed by a call: its work apart from that of numpy."""
    num_lines = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal num_lines
        if "lumenmill_media" not in frame.f_code.co_filename:
            return None
        num_lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return num_lines


def _short_runs(height: int, width: int) -> bytes:
    """Scanlines of runs of two values, each channel by itself."""
    row = bytes([2, 2, width >> 8, width & 255]) + bytes([130, 100]) * (width // 2) * 4
    return _file(row * height, f"-Y {height} +X {width}")


@pytest.mark.parametrize(
    ("data", "num_runs"),
    [
        (_short_runs(4096, 32), 4096 * 64),
        (_file(bytes([9, 8, 7, 128, 1, 1, 1, 1]) * 65_536, "-Y 1024 +X 128"), 65_536),
        (_file(bytes([9, 8, 7, 128]) * 65_536, "-Y 2048 +X 32"), 2048 * 8),
        (_file(bytes([9, 8, 7, 128]) * 999_999, "-Y 999999 +X 1"), 999_999),
    ],
    ids=["runs of channels", "old runs", "uncompressed", "narrow and high"],
)
def test_runs_and_scanlines_take_no_step_each(data: bytes, num_runs: int) -> None:
    num_lines = _num_lines(lambda: decode_radiance(data, _MAX_PIXELS))
    assert num_lines < num_runs // 4


def test_bytes_that_look_like_scanlines_do_not_add_to_the_work() -> None:
    """Runs of pixels that hold the bytes which open a scanline, in each of 512 scanlines of 258 pixels."""
    opening = bytes([2, 2, 1, 2])
    channel = (bytes([5]) + opening + bytes([9])) * 51 + bytes([3, 7, 7, 7])
    data = _file((opening + channel * 4) * 512, "-Y 512 +X 258")
    image = decode_radiance(data, _MAX_PIXELS)
    assert image.shape == (512, 258, 3) and (image == image[0]).all()
    num_runs = 512 * 4 * 52
    assert _num_lines(lambda: decode_radiance(data, _MAX_PIXELS)) < 10 * num_runs


def test_more_runs_than_any_encoder_makes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _short_runs(256, 64)
    assert decode_radiance(data, _MAX_PIXELS).shape == (256, 64, 3)
    monkeypatch.setattr(radiance_runs, "_MAX_WORK", 256 * 64)
    with pytest.raises(ValueError, match="more short runs than are read"):
        decode_radiance(data, _MAX_PIXELS)


def test_many_scanlines_are_the_same_as_each_alone() -> None:
    rng = np.random.default_rng(4)
    quads = rng.integers(0, 4, (300, 40, 4)).astype(np.uint8)
    rows = [decode_radiance(_file(_by_channel(row[None]), "-Y 1 +X 40"), _MAX_PIXELS) for row in quads]
    data = _file(_by_channel(quads), "-Y 300 +X 40")
    assert np.array_equal(decode_radiance(data, _MAX_PIXELS), np.concatenate(rows))
    for damaged in (data[:-1], data.replace(bytes([2, 2, 0, 40]), bytes([2, 2, 0, 40, 0]))):
        with pytest.raises(ValueError, match="truncated or damaged"):
            decode_radiance(damaged, _MAX_PIXELS)


@pytest.mark.parametrize("exposures", [("1e-30", "1e-30"), ("1e-200", "1e-200"), ("1e200", "1e200")])
def test_exposures_beyond_the_range_of_floats_are_refused(light: Array, exposures: tuple[str, ...]) -> None:
    lines = [f"EXPOSURE={exposure}" for exposure in exposures]
    with warnings.catch_warnings(), pytest.raises(ValueError, match="too small or too large"):
        warnings.simplefilter("error")
        decode_radiance(_file(_flat(_quads(light)), f"-Y {_HEIGHT} +X {_WIDTH}", *lines), _MAX_PIXELS)


def test_a_radiance_picture_is_measured_as_light(light: Array, tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    artifact = Artifact(inline_data=_file(_by_channel(_quads(light))))
    picture = read_picture(store, artifact, "media")
    assert picture.display is None and np.allclose(picture.linear, light, rtol=0.02)


def test_a_picture_for_an_environment_map_is_refused_by_its_format(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    png = Artifact(inline_data=encode_png(np.zeros((8, 16, 3), np.uint8)))
    with pytest.raises(InvalidArgumentError, match=r"light\.map: is a PNG image; .* Radiance"):
        read_radiance_map(store, png, "light.map")


def test_pictures_of_more_scanlines_than_any_camera_has_are_refused() -> None:
    with pytest.raises(ValueError, match="100000 scanlines"):
        decode_radiance(_file(b"", "-Y 100000 +X 8"), _MAX_PIXELS)
