"""All variants that work on this machine render the same picture."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lumenmill.common.v1.scene_pb2 import SceneDescription, SceneKind
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_studio.render.variant import CUDA, LLVM, Variant, find_variant, use_variant

SIZE = (96, 72)
BLOCK_PX = 12


@pytest.mark.parametrize("name", [LLVM, CUDA])
def test_a_compiled_variant_renders_what_the_scalar_one_renders(name: str, tmp_path: Path) -> None:
    variant = find_variant("cuda" if name == CUDA else "llvm")
    if variant.name != name:
        pytest.skip(f"{name} needs an NVIDIA GPU" if name == CUDA else f"{name} needs libLLVM 16 or newer")
    if name == CUDA:
        assert find_variant("auto").name == CUDA
    store = open_store(tmp_path.as_uri())
    (compiled, compiled_reach), (scalar, scalar_reach) = (
        _rendered(used, store) for used in (variant, find_variant("scalar"))
    )
    assert compiled_reach == pytest.approx(scalar_reach, abs=0.02)
    assert min(scalar_reach) < 0.1 and max(scalar_reach) > 0.9
    for found, expected in zip(compiled, scalar, strict=True):
        assert np.isfinite(found).all()
        # Highlights on copper are noisy in a few blocks.
        assert np.quantile(np.abs(_blocks(found) - _blocks(expected)), 0.98) < 0.05 * _blocks(expected).max()


def _blocks(image_hwc: np.ndarray) -> np.ndarray:
    """Means of square blocks, in which noise is small."""
    height, width, channels = image_hwc.shape
    return image_hwc.reshape(height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX, channels).mean(axis=(1, 3))


def _rendered(variant: Variant, store: ArtifactStore) -> tuple[list[np.ndarray], list[float]]:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(use_variant, variant).result()
        return thread.submit(_still_life, store).result()


def _still_life(store: ArtifactStore) -> tuple[list[np.ndarray], list[float]]:
    """Picture, shading, normals and instances of one still life under the first of its own sources.

    With them what arrives of that source, of light from behind, and of light from all around.
    """
    from lumenmill_studio.light.sources import parallel_unit, resolved
    from lumenmill_studio.render.camera import pose_of
    from lumenmill_studio.render.engine import Engine
    from lumenmill_studio.render.view import View
    from lumenmill_studio.scenes.compose import compose
    from lumenmill_studio.scenes.stored import store_scene

    spec = compose(
        SceneDescription(
            kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["jug", "pear"], materials=["copper", "natural"]
        ),
        "",
        3,
    )
    scene, unit = store_scene(store, spec), resolved(spec.light())[0].unit
    view = View(scene, pose_of(spec.camera, None), SIZE, spp=36, max_depth=5, guide_spp=8)
    engine = Engine(lambda sha: np.zeros((2, 4, 3)), lambda item: ())
    buffers = engine.buffers(view)
    picture, shading = (engine.picture(view, unit, lambda: None, {}, shading=shading) for shading in (False, True))
    around, behind = engine.visibility.surroundings(view), parallel_unit(160.0, 25.0)
    reach = [engine.visibility.reach(view, source).unoccluded_fraction for source in (unit, behind)]
    return (
        [picture, shading, buffers.normals, buffers.instance],
        [*reach, float(around.arriving_hw.sum() / around.facing_hw.sum())],
    )
