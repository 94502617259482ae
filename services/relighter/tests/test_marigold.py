"""Marigold behind Decompose, over real gRPC."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import OpenEXR
import pytest
import torch
from diffusers import MarigoldDepthPipeline, MarigoldIntrinsicsPipeline, MarigoldNormalsPipeline
from PIL import Image

from lumenmill.common.v1.artifact_pb2 import ColorSpace
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind, IntrinsicMap
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_media import decode_exr, srgb_to_linear
from lumenmill_neural.testing import save_marigold

from .conftest import photo

ALBEDO, NORMALS, DEPTH, ROUGHNESS, METALLIC, SHADING, RESIDUAL = range(1, 8)
SIZE = (40, 56)


def _numbers(store: ArtifactStore, found: IntrinsicMap) -> np.ndarray:
    return decode_exr(store.read_bytes(found.data))


def _direct(pipeline_class: Any, folder: Path, picture: Image.Image) -> np.ndarray:
    pipe = pipeline_class.from_pretrained(folder)
    return pipe(picture, generator=torch.Generator("cpu").manual_seed(4)).prediction


async def test_maps_equal_those_of_diffusers_in_the_units_of_the_contract(
    serving: Any, checkpoints: Callable[[str], Path]
) -> None:
    folder, picture = checkpoints("Marigold"), photo(1, SIZE)
    async with serving("Marigold") as relighter:
        result = await relighter.maps("all", image=relighter.put(picture), seed=4)
        assert [found.kind for found in result.maps] == list(range(1, 8))
        maps = {found.kind: _numbers(relighter.store, found) for found in result.maps}
        assert all(maps[kind].shape[:2] == SIZE[::-1] for kind in maps)

        depth = _direct(MarigoldDepthPipeline, folder / "depth", picture)[0]
        assert np.array_equal(maps[DEPTH], 1 + depth) and maps[DEPTH].min() > 0
        normals = _direct(MarigoldNormalsPipeline, folder / "normals", picture)[0]
        cosines = (maps[NORMALS] * normals).sum(-1) / np.linalg.norm(normals, axis=-1)
        assert cosines.min() > 0.999 and np.allclose(np.linalg.norm(maps[NORMALS], axis=-1), 1, atol=2e-3)
        _, material = _direct(MarigoldIntrinsicsPipeline, folder / "appearance", picture)
        assert np.allclose(maps[ROUGHNESS], material[..., :1], atol=1e-3)
        assert np.allclose(maps[METALLIC], material[..., 1:2], atol=1e-3)
        albedo, shading, residual = _direct(MarigoldIntrinsicsPipeline, folder / "lighting", picture)
        assert np.allclose(maps[ALBEDO], albedo, atol=1e-3)
        factor = float(maps[SHADING].sum() / shading.sum())
        assert np.allclose(maps[SHADING], factor * shading, rtol=2e-3, atol=1e-3)
        assert np.allclose(maps[RESIDUAL], factor * residual, rtol=2e-3, atol=1e-3)
        linear, model = srgb_to_linear(np.asarray(picture, np.float32) / 255), albedo * shading + residual
        errors = [float(((linear - k * factor * model) ** 2).sum()) for k in (0.95, 1, 1.05)]
        assert errors[1] == min(errors)


async def test_maps_state_their_kind_and_encoding(serving: Any) -> None:
    async with serving("Marigold") as relighter:
        model = await relighter.model()
        assert list(model.intrinsic_kinds) == list(range(1, 8)) and not model.light_kinds and not model.needs_scene
        result = await relighter.maps("some", image=relighter.put(photo()), kinds=[DEPTH, ALBEDO], preset="fast")
        depth, albedo = result.maps
        assert (depth.kind, albedo.kind) == (DEPTH, ALBEDO) and not depth.exact
        assert depth.preview_encoding == "turbo(1/depth)" and albedo.preview_encoding == "srgb"
        assert depth.data.image.color_space == ColorSpace.COLOR_SPACE_DATA
        assert albedo.data.image.color_space == ColorSpace.COLOR_SPACE_LINEAR_REC709
        with OpenEXR.File(io.BytesIO(relighter.store.read_bytes(depth.data)), separate_channels=True) as file:
            assert file.channels()["Y"].pixels.dtype == np.float32
        nearness = _numbers(relighter.store, depth)[..., 0]
        shown = relighter.pixels(depth.preview).astype(int)
        near, far = (np.unravel_index(at(nearness), nearness.shape) for at in (np.argmin, np.argmax))
        assert shown[near][0] - shown[near][2] > shown[far][0] - shown[far][2]  # turbo: near is red, far is blue
        assert result.record.preset == "fast" and result.record.parameters["num_inference_steps"] == 1
        assert {"denoise", "decode", "encode"} <= {stage.stage for stage in result.record.stage_times}
        assert result.record.licences[0].spdx_id == "LicenseRef-CreativeML-OpenRAIL-plusplus-M"


async def test_only_maps_of_existing_checkpoints_are_offered(serving: Any, tmp_path: Path) -> None:
    save_marigold(tmp_path / "two", ("normals", "appearance"))
    async with serving("Marigold", checkpoint=str(tmp_path / "two")) as relighter:
        assert list((await relighter.model()).intrinsic_kinds) == [ALBEDO, NORMALS, ROUGHNESS, METALLIC]
        (albedo,) = (await relighter.maps("a", image=relighter.put(photo()), kinds=[ALBEDO], seed=4)).maps
        shown = _direct(MarigoldIntrinsicsPipeline, tmp_path / "two" / "appearance", photo())[0]
        assert np.allclose(_numbers(relighter.store, albedo), srgb_to_linear(shown), atol=1e-3)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await relighter.maps("b", image=relighter.put(photo()), kinds=[DEPTH])
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details().startswith(f"kinds: {IntrinsicKind.Name(DEPTH)} is none of")
        with pytest.raises(grpc.aio.AioRpcError) as unimplemented:
            await relighter.relit("c", variants=[{"description": "a lemon"}])
        assert unimplemented.value.code() is grpc.StatusCode.UNIMPLEMENTED
