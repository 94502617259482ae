"""Maps and backgrounds are analysed the right way round, in whatever file they come: up is up, right is right."""

import io

import numpy as np
import pytest
from PIL import Image

from lumenmill.common.v1 import artifact_pb2, light_pb2
from lumenmill_light.attributes import attributes
from lumenmill_light.axes import unit_vector
from lumenmill_light.environment import environment_of
from lumenmill_light.environment_map import directions
from lumenmill_media import decode_light, encode_exr, encode_png

# Columns of a map at azimuths 90° and −90°, rows at elevations 36° and −36°, as fractions of width and height.
CORNERS = [(0.3, 0.25, 90, 36), (0.3, 0.75, -90, 36), (0.7, 0.25, 90, -36), (0.7, 0.75, -90, -36)]


def patch(row: float, column: float, height: int = 32) -> np.ndarray:
    """A map (H, 2H, 3) that is bright around one point only."""
    pixels = np.zeros((height, 2 * height, 3), np.float32)
    at = int(row * height), int(column * 2 * height)
    pixels[at[0] - 1 : at[0] + 2, at[1] - 1 : at[1] + 1] = 1.0
    return pixels


def as_png(pixels: np.ndarray) -> bytes:
    return encode_png(np.round(pixels * 255).astype(np.uint8))


def as_jpeg(pixels: np.ndarray) -> bytes:
    """A photograph that was taken with the camera upside down, as its EXIF says."""
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 3
    turned = Image.fromarray(np.round(pixels[::-1, ::-1] * 255).astype(np.uint8))
    turned.save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return buffer.getvalue()


def as_radiance(pixels: np.ndarray) -> bytes:
    """A Radiance file without run lengths; 1.0 is 128 · 2^(129 − 136)."""
    height, width = pixels.shape[:2]
    rgbe = np.dstack([np.where(pixels > 0, 128, 0), np.full((height, width), 129)]).astype(np.uint8)
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + rgbe.tobytes()


@pytest.mark.parametrize("encoded", [as_png, as_jpeg, encode_exr, as_radiance])
def test_every_file_is_decoded_as_it_is(encoded: object) -> None:
    pixels = patch(0.3, 0.25)
    assert np.abs(decode_light(encoded(pixels)) - pixels).max() < 0.1  # type: ignore[operator]


@pytest.mark.parametrize(("row", "column", "azimuth_deg", "elevation_deg"), CORNERS)
def test_a_map_lights_from_where_it_is_bright(
    row: float, column: float, azimuth_deg: float, elevation_deg: float
) -> None:
    light = light_pb2.Light(sources=[{"environment_map": {}}])

    def radiance_of(_artifact: artifact_pb2.Artifact) -> np.ndarray:
        return patch(row, column)

    found = attributes(light, radiance_of=radiance_of)
    assert unit_vector(found.azimuth_deg, found.elevation_deg) @ unit_vector(azimuth_deg, elevation_deg) > 0.98
    drawn = environment_of(light, radiance_of).mean(axis=2)
    brightest = directions(drawn.shape[0])[np.unravel_index(drawn.argmax(), drawn.shape)]
    assert brightest @ unit_vector(azimuth_deg, elevation_deg) > 0.98


def test_a_background_is_drawn_behind_the_subject_as_it_is() -> None:
    """Seen from the camera, +X is right and +Y is up."""
    pixels = np.zeros((32, 64, 3), np.float32)
    pixels[:16, :32, 0] = pixels[:16, 32:, 1] = pixels[16:, :32, 2] = 1.0
    drawn = environment_of(light_pb2.Light(sources=[{"background": {}}]), lambda _artifact: pixels)
    toward = directions(drawn.shape[0])

    def seen(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
        return np.asarray(drawn.reshape(-1, 3)[(toward @ unit_vector(azimuth_deg, elevation_deg)).argmax()])

    assert seen(-170, 8).argmax() == 0
    assert seen(170, 8).argmax() == 1
    assert seen(-170, -8).argmax() == 2
    assert seen(170, -8).max() == 0


@pytest.mark.parametrize(
    ("bright", "azimuth_deg", "elevation_deg"),
    [
        (np.s_[:, :16], -142.0, 0.0),
        (np.s_[:, 48:], 142.0, 0.0),
        (np.s_[:16], 180.0, 14.0),
        (np.s_[16:], 180.0, -14.0),
    ],
)
def test_a_background_lights_from_where_it_is_bright(
    bright: slice | tuple[slice, slice], azimuth_deg: float, elevation_deg: float
) -> None:
    """The outer quarter of a panel of 96° is 29° to 48° beside what is straight behind."""
    pixels = np.full((32, 64, 3), 0.001, np.float32)
    pixels[bright] = 1.0
    found = attributes(light_pb2.Light(sources=[{"background": {}}]), radiance_of=lambda _artifact: pixels)
    assert found.azimuth_deg == pytest.approx(azimuth_deg, abs=2.0)
    assert found.elevation_deg == pytest.approx(elevation_deg, abs=2.0)
