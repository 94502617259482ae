"""Relighting by real environment maps: the light that a map holds falls on the scene from where the map says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_media import decode_light

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}
_PLAINLY_SIDEWAYS = 0.15


def sideways(path: Path) -> float:
    """How much of a map's light comes from the right (+) or the left (−) at rotation 0, −1 to 1.

    The column at fraction u lies at azimuth 180° − 360°·u, and +90° is the right, so that its share is sin 2πu.
    """
    gray_hw = decode_light(path.read_bytes()).mean(axis=2)
    height, width = gray_hw.shape
    elevation = np.sin((np.arange(height) + 0.5) / height * np.pi)[:, None]
    right = np.sin((np.arange(width) + 0.5) / width * 2 * np.pi)
    return float((gray_hw * elevation**2 * right).sum() / (gray_hw * elevation).sum())


@pytest.mark.asyncio(loop_scope="session")
async def test_a_real_map_lights_a_sphere_from_where_it_is_bright(studio: Any, environment_maps: list[Path]) -> None:
    path = max(environment_maps, key=lambda candidate: abs(sideways(candidate)))
    description = SceneDescription(
        kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["sphere"], materials=["plaster"], place="on an oak table"
    )
    made = await studio.result(
        studio.imager.GenerateImages, imager_pb2.GenerateImagesRequest(scene=description, seed=2, **SIZE), "map-0"
    )
    scene = made.images[0].scene
    artifact = studio.store.put_file(path, "image/vnd.radiance")
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for rotation_deg in (0.0, 180.0):
        source = request.variants.add().light.sources.add().environment_map
        source.map.CopyFrom(artifact)
        source.rotation_deg = rotation_deg
    result = await studio.result(studio.relighter.Relight, request, "map-1")
    pictures = [studio.numbers(variant.linear).mean(axis=2) for variant in result.variants]
    assert all(np.isfinite(picture).all() and picture.mean() > 1e-3 for picture in pictures)

    wanted = relighter_pb2.DecomposeRequest(scene=scene, kinds=[IntrinsicKind.INTRINSIC_KIND_INSTANCE_MASK], **SIZE)
    mask = (await studio.result(studio.relighter.Decompose, wanted, "map-2")).maps[0]
    rows, columns = np.nonzero(studio.numbers(mask.data)[..., 0] == 1)
    assert len(rows) > 100
    on_right = columns > columns.mean()

    def right_over_left(picture: np.ndarray) -> float:
        values = picture[rows, columns]
        return float(values[on_right].mean() / values[~on_right].mean())

    straight, turned = (right_over_left(picture) for picture in pictures)
    bias = sideways(path)
    if abs(bias) < _PLAINLY_SIDEWAYS:
        pytest.skip(f"{path.name} is bright on no side, so that its turning cannot be told")
    brighter, darker = (straight, turned) if bias > 0 else (turned, straight)
    assert brighter > 1.05
    assert darker < 0.95
