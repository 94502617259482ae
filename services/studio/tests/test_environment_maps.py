"""Relighting by real environment maps lights the scene from the side on which the map is bright."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_light.axes import angles_of, direction, wrap_deg
from lumenmill_light.environment_map import Radiance, dominant_lobe, irradiance_on, reduced, turned
from lumenmill_media import decode_light

SIZE = {"width_px": 96, "height_px": 72, "preset": "fast"}
# Irradiance of an upright surface on the brightest side, over that of one that looks the other way.
_MIN_SIDE_RATIO = 1.5


def brightest_azimuth_deg(radiance: Radiance) -> float:
    """The azimuth of the map's dominant lobe at rotation 0."""
    lobe = dominant_lobe(radiance)
    assert lobe is not None
    return angles_of(lobe.direction)[0]


def side_ratio(radiance: Radiance) -> float:
    """How much more light an upright surface receives on the map's brightest side than on the other side."""
    azimuth_deg = brightest_azimuth_deg(radiance)
    normals = np.array([direction(azimuth_deg, 0.0), direction(azimuth_deg + 180.0, 0.0)])
    facing, averted = irradiance_on(radiance, normals).mean(axis=1)
    return float(facing / averted)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_real_map_lights_a_sphere_from_where_it_is_bright(studio: Any, environment_maps: list[Path]) -> None:
    """The bright side of the map is turned to the right and to the left, where the wall does not block it."""
    maps = {path: reduced(decode_light(path.read_bytes())) for path in environment_maps}
    path = max(maps, key=lambda candidate: side_ratio(maps[candidate]))
    radiance = maps[path]
    if side_ratio(radiance) < _MIN_SIDE_RATIO:
        pytest.skip(f"{path.name} is equally bright on all sides, so that its direction cannot be measured")
    description = SceneDescription(
        kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["sphere"], materials=["plaster"], place="on an oak table"
    )
    made = await studio.result(
        studio.imager.GenerateImages, imager_pb2.GenerateImagesRequest(scene=description, seed=2, **SIZE), "map-0"
    )
    scene = made.images[0].scene
    artifact = studio.store.put_file(path, "image/vnd.radiance")
    rotations_deg = [wrap_deg(side_deg - brightest_azimuth_deg(radiance)) for side_deg in (90.0, -90.0)]
    request = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for rotation_deg in rotations_deg:
        source = request.variants.add().light.sources.add().environment_map
        source.map.CopyFrom(artifact)
        source.rotation_deg = rotation_deg
    result = await studio.result(studio.relighter.Relight, request, "map-1")
    pictures = [studio.numbers(variant.linear).mean(axis=2) for variant in result.variants]
    assert all(np.isfinite(picture).all() and picture.mean() > 1e-3 for picture in pictures)

    kinds = [IntrinsicKind.INTRINSIC_KIND_INSTANCE_MASK, IntrinsicKind.INTRINSIC_KIND_NORMALS]
    decompose = relighter_pb2.DecomposeRequest(scene=scene, kinds=kinds, **SIZE)
    intrinsics = (await studio.result(studio.relighter.Decompose, decompose, "map-2")).maps
    mask, normals = (studio.numbers(found.data) for kind in kinds for found in intrinsics if found.kind == kind)
    rows, columns = np.nonzero(mask[..., 0] == 1)
    assert len(rows) > 100
    on_right = columns > columns.mean()

    def right_over_left(values: np.ndarray) -> float:
        return float(values[on_right].mean() / values[~on_right].mean())

    from_right, from_left = (right_over_left(picture[rows, columns]) for picture in pictures)
    assert from_right > 1.05
    assert from_left < 0.95
    expected = [
        right_over_left(irradiance_on(turned(radiance, rotation_deg), normals[rows, columns]).mean(axis=1))
        for rotation_deg in rotations_deg
    ]
    # Table and wall reflect and shade some of the light.
    assert [from_right, from_left] == pytest.approx(expected, rel=0.15)
