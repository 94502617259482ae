"""Pictures and maps are seen, and light the scene, the right way round: up is up, right is right."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lumenmill_media as media
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2

EXR = "image/x-exr"
SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}
# Linear colours of the quarters of a picture, by the signs of row and column from its middle.
QUARTERS = {(-1, -1): (1.0, 0.1, 0.1), (-1, 1): (0.1, 1.0, 0.1), (1, -1): (0.1, 0.1, 1.0), (1, 1): (1.0, 1.0, 0.1)}

pytestmark = pytest.mark.asyncio(loop_scope="session")


def quarters(height: int) -> np.ndarray:
    """A picture (H, 2H, 3) with another colour in each quarter."""
    rows, columns = np.where(np.arange(height) < height / 2, -1, 1), np.where(np.arange(2 * height) < height, -1, 1)
    return np.array([[QUARTERS[row, column] for column in columns] for row in rows], np.float32)


def patch(row: float, column: float, height: int = 64) -> np.ndarray:
    """A map (H, 2H, 3) that is bright only around one point, given as fractions of height and width."""
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(2 * height) + 0.5) / (2 * height)
    near = (np.abs(rows - row) < 0.06)[:, None] & (np.abs(columns - column) < 0.03)[None, :]
    return np.repeat(np.where(near, 200.0, 0.01)[..., None], 3, axis=2).astype(np.float32)


async def plaster_sphere(studio: Any, request_id: str) -> Artifact:
    description = SceneDescription(
        kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["sphere"], materials=["plaster"], place="on an oak table"
    )
    request = imager_pb2.GenerateImagesRequest(scene=description, seed=2, **SIZE)
    return (await studio.result(studio.imager.GenerateImages, request, request_id)).images[0].scene


async def test_a_background_is_seen_as_it_is(studio: Any) -> None:
    scene = await plaster_sphere(studio, "orientation-0")
    pixels = np.round(quarters(64) * 255).astype(np.uint8)
    picture = studio.store.put_bytes(media.encode_png(pixels), "image/png")
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    request.variants.add().light.sources.add().background.image.CopyFrom(picture)
    request.variants.add().environment.CopyFrom(picture)
    for variant in (await studio.result(studio.relighter.Relight, request, "orientation-1")).variants:
        seen = studio.numbers(variant.linear)
        # The table hides the lower part of the picture.
        upper_left, upper_right, lower_left, lower_right = seen[4, 4], seen[4, -5], seen[28, 4], seen[28, -5]
        assert upper_left.argmax() == 0
        assert upper_right.argmax() == 1
        assert lower_left.argmax() == 2
        assert lower_right[:2].min() > 2 * lower_right[2]


async def test_an_environment_map_is_seen_and_lights_from_where_it_is_bright(studio: Any) -> None:
    """Azimuth 90°, the right, is at a quarter of the map's width, as EnvironmentMapLight says."""
    scene = await plaster_sphere(studio, "orientation-2")
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for column in (0.25, 0.75):
        exr = media.encode_exr(patch(0.3, column))
        request.variants.add().light.sources.add().environment_map.map.CopyFrom(studio.store.put_bytes(exr, EXR))
    # Behind the subject, 11° to the right of it and 6° up, and the same to the left and down.
    for row, column in ((0.46, 0.03), (0.54, 0.97)):
        variant = request.variants.add()
        variant.environment.CopyFrom(studio.store.put_bytes(media.encode_exr(patch(row, column)), EXR))
        variant.camera.viewpoint.elevation_deg = 0
    variants = (await studio.result(studio.relighter.Relight, request, "orientation-3")).variants
    for side, variant in zip((1, -1), variants[:2], strict=True):
        sphere = studio.numbers(variant.linear).mean(axis=2)[16:54, 30:66]
        assert sphere[:19].mean() > 1.1 * sphere[19:].mean()
        left, right = sphere[:, :18].mean(), sphere[:, 18:].mean()
        assert (right > 1.1 * left) if side > 0 else (left > 1.1 * right)
    right_up, left_down = (studio.numbers(variant.linear).mean(axis=2) for variant in variants[2:])
    assert right_up[5, -5] > 100 and right_up[5, 5] < 1
    assert left_down[40, 5] > 100 and max(left_down[5, 5], left_down[40, -5]) < 1


async def test_maps_and_their_previews_lie_over_the_picture(studio: Any) -> None:
    """The sphere faces up at its top and right at its right, in the values of normals and in their preview."""
    scene = await plaster_sphere(studio, "orientation-4")
    kinds = [IntrinsicKind.INTRINSIC_KIND_NORMALS, IntrinsicKind.INTRINSIC_KIND_INSTANCE_MASK]
    request = relighter_pb2.DecomposeRequest(scene=scene, kinds=kinds, **SIZE)
    normals, mask = (await studio.result(studio.relighter.Decompose, request, "orientation-5")).maps
    rows, columns = np.nonzero(studio.numbers(mask.data)[..., 0] == 1)
    at_top, at_right = rows < np.quantile(rows, 0.2), columns > np.quantile(columns, 0.8)
    shown = np.asarray(Image.open(io.BytesIO(studio.store.read_bytes(normals.preview)))).astype(float)
    for values, zero in ((studio.numbers(normals.data), 0.0), (shown, 127.5)):
        assert values[rows[at_top], columns[at_top], 1].mean() > zero
        assert values[rows[at_right], columns[at_right], 0].mean() > zero
    assert shown[rows.max() - 1, int(columns.mean()), 1] < 127.5
