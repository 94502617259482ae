"""EXR files mean what their headers say: primaries, windows, parts."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from numpy.typing import NDArray

from lumenmill_common.artifacts import open_store
from lumenmill_media import Limits, decode_exr, decode_exr_colors, decode_light, read_picture

Array = NDArray[np.float32]
_AP0 = (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767)
_REC2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.3290)
_REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


def _xyz(chromaticities: tuple[float, ...]) -> NDArray[np.float64]:
    xy = np.array(chromaticities).reshape(4, 2)
    columns = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])


def _exr(pixels: Array, **attributes: Any) -> bytes:
    buffer = io.BytesIO()
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    with OpenEXR.File(header, {"RGB": np.ascontiguousarray(pixels, np.float32)}) as file:
        file.write(buffer)
    return buffer.getvalue()


def _window(left: int, top: int, right: int, bottom: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return np.array([left, top], np.int32), np.array([right, bottom], np.int32)


@pytest.fixture
def light() -> Array:
    """Light of several colours, (24, 40, 3) linear Rec. 709."""
    rng = np.random.default_rng(1)
    return (rng.uniform(0.2, 1.0, (24, 40, 3)) * [1.0, 0.8, 0.5]).astype(np.float32)


@pytest.mark.parametrize("primaries", [_AP0, _REC2020, _REC709])
def test_light_in_other_primaries_is_the_same_light(light: Array, primaries: tuple[float, ...]) -> None:
    written = light @ (np.linalg.inv(_xyz(primaries)) @ _xyz(_REC709)).T
    data = _exr(written, chromaticities=primaries)
    assert np.allclose(decode_exr_colors(data), light, atol=2e-3)
    assert np.allclose(decode_light(data), light, atol=2e-3)
    # Maps of numbers (normals, depth) have no colour.
    assert np.allclose(decode_exr(data), written, atol=1e-6)


def test_the_image_is_what_the_display_window_shows(light: Array) -> None:
    display = _window(0, 0, 39, 23)
    cropped = _exr(light[8:12, 30:36], dataWindow=_window(30, 8, 35, 11), displayWindow=display)
    shown = decode_exr(cropped)
    assert shown.shape == light.shape and np.array_equal(shown[8:12, 30:36], light[8:12, 30:36])
    assert shown.sum() == pytest.approx(light[8:12, 30:36].sum(), rel=1e-5)
    overscan = np.pad(light, ((4, 4), (8, 8), (0, 0)), constant_values=9.0)
    beyond = _exr(overscan, dataWindow=_window(-8, -4, 47, 27), displayWindow=display)
    assert np.array_equal(decode_exr(beyond), light)
    elsewhere = _exr(light[:4, :4], dataWindow=_window(100, 100, 103, 103), displayWindow=display)
    assert not decode_exr(elsewhere).any()
    shifted = _exr(light, dataWindow=_window(5, 7, 44, 30), displayWindow=_window(5, 7, 44, 30))
    assert np.array_equal(decode_exr(shifted), light)


def test_a_display_window_larger_than_the_limit_is_refused(light: Array) -> None:
    data = _exr(light, displayWindow=_window(0, 0, 99_999, 99_999))
    with pytest.raises(ValueError, match="100000×100000 pixels"):
        decode_exr(data)


def test_of_several_parts_the_one_with_colours_is_read(light: Array) -> None:
    depth = OpenEXR.Part({"name": "depth"}, {"Z": np.full((24, 40), 7, np.float32)}, "depth")
    color = OpenEXR.Part({"name": "beauty"}, {"RGB": light}, "beauty")
    for parts in ([depth, color], [color, depth]):
        buffer = io.BytesIO()
        with OpenEXR.File(parts) as file:
            file.write(buffer)
        assert np.allclose(decode_exr(buffer.getvalue()), light)


def test_luminance_and_chroma_are_refused_by_their_name() -> None:
    channels = {name: np.ones((8, 8), np.float16) for name in ("Y", "RY", "BY")}
    buffer = io.BytesIO()
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, channels) as file:
        file.write(buffer)
    with pytest.raises(ValueError, match="luminance and chroma"):
        decode_exr(buffer.getvalue())


@pytest.mark.parametrize(
    "primaries",
    [(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3127, 0.3290), (*_AP0[:6], 1e38, 0.3377), (*_AP0[:6], np.nan, 0.3377)],
)
def test_impossible_primaries_are_refused(light: Array, primaries: tuple[float, ...]) -> None:
    data = _exr(light, chromaticities=primaries)
    with pytest.raises(ValueError, match="invalid primaries"):
        decode_exr_colors(data)


def test_tiles_far_larger_than_any_image_are_refused(light: Array) -> None:
    data = bytearray(_exr(light, type=OpenEXR.tiledimage, tiles=OpenEXR.TileDescription()))
    height_at = data.index(b"tiledesc\0") + len(b"tiledesc\0") + 4 + 4
    assert decode_exr(bytes(data)).shape == light.shape
    data[height_at : height_at + 4] = (1 << 27).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"has tiles of .* pixels, more than"):
        decode_exr(bytes(data))


def _four(pixels: Array, names: str) -> bytes:
    channels = {name: np.ascontiguousarray(pixels[..., index]) for index, name in enumerate(names)}
    buffer = io.BytesIO()
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, channels) as file:
        file.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("compression", "error"),
    [("RLE", 0), ("ZIPS", 0), ("PIZ", 0), ("PXR24", 0), ("B44", 0.04), ("B44A", 0.04), ("DWAA", 0.03), ("DWAB", 0.03)],
)
def test_every_compression_of_half_floats_is_read(light: Array, compression: str, error: float) -> None:
    buffer = io.BytesIO()
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"RGB": light.astype(np.float16)}) as file:
        file.write(buffer)
    assert np.abs(decode_exr(buffer.getvalue()) - light.astype(np.float16)).max() <= error


@pytest.mark.parametrize("side_px", [16, 2048])
def test_colours_that_are_multiplied_by_opacity_are_measured_whole(tmp_path: Path, side_px: int) -> None:
    alpha = np.full((32, 32, 1), 0.25, np.float32)
    alpha[:8] = 1.0
    light = np.concatenate([np.array([0.8, 0.6, 0.4], np.float32) * alpha, alpha], axis=-1)
    store = open_store(f"file://{tmp_path}/store")
    artifact = store.put_bytes(_four(light, "RGBA"), "image/x-exr")
    picture = read_picture(store, artifact, "image", Limits(measured_side_px=side_px))
    assert np.allclose(picture.linear, [0.8, 0.6, 0.4], atol=1e-3)


def test_luminance_that_is_multiplied_by_opacity_is_measured_whole(tmp_path: Path) -> None:
    alpha = np.full((32, 32, 1), 0.25, np.float32)
    alpha[:8] = 0.0
    store = open_store(f"file://{tmp_path}/store")
    artifact = store.put_bytes(_four(np.concatenate([0.6 * alpha, alpha], axis=-1), "YA"), "image/x-exr")
    picture = read_picture(store, artifact, "image")
    assert np.allclose(picture.linear[8:], 0.6, atol=1e-3) and not picture.weight[:8].any()


def test_numbers_are_no_light(light: Array) -> None:
    for names in ("XYZ", "Z"):
        data = _four(light, names)
        assert np.allclose(decode_exr(data), light[..., : len(names)])
        with pytest.raises(ValueError, match="numbers and not light"):
            decode_exr_colors(data)
