"""What is stored of albedo × shading + residual is the stored picture, under every environment map."""

from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

import lumenmill_media as media
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2

SIZE = {"width_px": 48, "height_px": 36, "preset": "fast"}
KINDS = [
    IntrinsicKind.INTRINSIC_KIND_ALBEDO,
    IntrinsicKind.INTRINSIC_KIND_SHADING,
    IntrinsicKind.INTRINSIC_KIND_RESIDUAL,
]
# Of the brightness that all but a hundredth of the picture is below.
TOLERANCE = 1e-3
# In stops: pictures whose highlights are beyond the largest half float, and some that are nearly black.
EXPOSURES_EV = (-8.0, 0.0, 8.0)

pytestmark = pytest.mark.asyncio(loop_scope="session")


def neon_map() -> np.ndarray:
    """Three saturated tubes, far brighter than anything else around."""
    radiance = np.full((64, 128, 3), 1e-3, np.float32)
    radiance[20:24, 20:40], radiance[40:44, 90:100], radiance[10:12, 60:64] = (3e3, 0, 2e3), (0, 5e3, 100), (0, 0, 3e4)
    return radiance


def error_of(maps: list[np.ndarray], linear: np.ndarray) -> float:
    """The largest difference of albedo × shading + residual from a picture, relative to its 99th percentile."""
    albedo, shading, residual = maps
    return float(np.abs(albedo * shading + residual - linear).max() / np.percentile(linear, 99))


async def worst_error(studio: Any, maps: list[Artifact], exposures_ev: tuple[float, ...], name: str) -> float:
    """The largest error over all lights."""
    prompt = "a copper kettle and a glass bottle on a slate table"
    request = imager_pb2.GenerateImagesRequest(prompt=prompt, seed=3, **SIZE)
    scene = (await studio.result(studio.imager.GenerateImages, request, f"{name}-0")).images[0].scene
    relight = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for artifact in maps:
        for exposure_ev in exposures_ev:
            source = relight.variants.add().light.sources.add().environment_map
            source.map.CopyFrom(artifact)
            source.exposure_ev = exposure_ev
    errors = []
    for index, variant in enumerate((await studio.result(studio.relighter.Relight, relight, f"{name}-1")).variants):
        decompose = relighter_pb2.DecomposeRequest(
            scene=scene, image=variant.image, light=variant.light, kinds=KINDS, preset="fast"
        )
        found = await studio.result(studio.relighter.Decompose, decompose, f"{name}-2-{index}")
        errors.append(error_of([studio.numbers(entry.data) for entry in found.maps], studio.numbers(variant.linear)))
    return max(errors)


async def test_under_neon_light_of_any_brightness(studio: Any) -> None:
    neon = studio.store.put_bytes(media.encode_exr(neon_map()), "image/x-exr")
    assert await worst_error(studio, [neon], EXPOSURES_EV, "neon") < TOLERANCE


async def test_under_real_maps(studio: Any, environment_maps: list[Path]) -> None:
    maps = [studio.store.put_file(path, "image/vnd.radiance") for path in environment_maps]
    assert await worst_error(studio, maps, (0.0,), "real-maps") < TOLERANCE


async def test_under_an_environment_that_replaces_the_walls(studio: Any) -> None:
    scene = (await studio.still_life("environment-0")).scene
    neon = studio.store.put_bytes(media.encode_exr(neon_map()), "image/x-exr")
    relight = relighter_pb2.RelightRequest(scene=scene, variants=[{"environment": neon}], **SIZE)
    (variant,) = (await studio.result(studio.relighter.Relight, relight, "environment-1")).variants
    decompose = relighter_pb2.DecomposeRequest(
        scene=scene, image=variant.image, light=variant.light, kinds=KINDS, preset="fast", has_environment=True
    )
    found = await studio.result(studio.relighter.Decompose, decompose, "environment-2")
    assert error_of([studio.numbers(entry.data) for entry in found.maps], studio.numbers(variant.linear)) < TOLERANCE


async def test_of_pictures_that_are_mixed_from_shared_harmonics(studio: Any) -> None:
    """More than four sets of harmonics in one request share units, so that rendering one alone gives other noise."""
    scene = (await studio.still_life("shared-0")).scene
    relight = relighter_pb2.RelightRequest(scene=scene, **SIZE)
    for side in range(5):
        coefficients = [2.0, 0.0, 0.0, 1.0 - 0.4 * side, 0.0, 0.0, 0.0, 0.0, 0.0]
        relight.variants.add().light.sources.add().spherical_harmonics.coefficients.extend(coefficients * 3)
    variant = (await studio.result(studio.relighter.Relight, relight, "shared-1")).variants[0]
    decompose = relighter_pb2.DecomposeRequest(
        scene=scene, image=variant.image, light=variant.light, linear=variant.linear, kinds=KINDS, preset="fast"
    )
    found = await studio.result(studio.relighter.Decompose, decompose, "shared-2")
    assert error_of([studio.numbers(entry.data) for entry in found.maps], studio.numbers(variant.linear)) < TOLERANCE


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (np.ones((36, 40, 3), np.float32), r"linear: has 40×36 pixels of 3 channels; must have 48×36 of 3"),
        (np.full((36, 48, 3), np.inf, np.float32), "linear: has values that are not finite"),
    ],
)
async def test_a_linear_picture_of_another_kind_is_refused(studio: Any, pixels: np.ndarray, problem: str) -> None:
    image = await studio.still_life("refused-0")
    linear = studio.store.put_bytes(media.encode_exr(pixels, single=True), "image/x-exr")
    request = relighter_pb2.DecomposeRequest(scene=image.scene, linear=linear, **SIZE)
    with pytest.raises(grpc.aio.AioRpcError, match=problem):
        await studio.result(studio.relighter.Decompose, request, f"refused-linear-{pixels.shape[1]}")
