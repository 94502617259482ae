"""DecomposeVideo over real gRPC."""

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest
import torch
from diffusers import MarigoldNormalsPipeline
from PIL import Image

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.video.v1 import video_pb2
from lumenmill_media import iter_frames, read_map_sequence

_NORMALS, _DEPTH = IntrinsicKind.INTRINSIC_KIND_NORMALS, IntrinsicKind.INTRINSIC_KIND_DEPTH


async def _maps(service: Any, request_id: str, **fields: Any) -> video_pb2.DecomposeVideoResult:
    request = video_pb2.DecomposeVideoRequest(job={"request_id": request_id}, **fields)
    return [event async for event in service.stub.DecomposeVideo(request)][-1].result


async def test_maps_of_every_frame_equal_those_of_diffusers(serving: Any) -> None:
    async with serving("Marigold") as video:
        clip = video.put_clip([video.picture((48, 32), seed // 5) for seed in range(10)], 12.0)
        made = await _maps(video, "one", video=clip, kinds=[_NORMALS, _DEPTH], seed=3)
        assert [entry.kind for entry in made.maps] == [_NORMALS, _DEPTH]
        frames = list(iter_frames(video.store, clip, "clip"))
        pipe = MarigoldNormalsPipeline.from_pretrained(f"{video.settings.checkpoint}/normals", dtype=torch.float32)
        found = read_map_sequence(video.store, made.maps[0].data, "maps", range(10))
        for index in (0, 9):
            plain = pipe(frames[index], generator=torch.Generator("cpu").manual_seed(3)).prediction[0]
            assert np.allclose(found[index], plain / np.linalg.norm(plain, axis=-1, keepdims=True), atol=2e-3)
        preview = made.maps[1].preview
        assert (preview.video.num_frames, preview.video.fps, made.maps[1].preview_encoding) == (
            10,
            12,
            "turbo(1/depth)",
        )
        said = made.record.parameters
        assert (said["num_frames"], said["width"], said["height"]) == (10, 48, 32)
        # Nearly equal frames have nearly equal maps, since all are made from the same noise.
        assert 0 <= said["temporal_change_normals"] < 0.05 and not made.maps[0].exact
        assert [stage.stage for stage in made.record.stage_times][-1] == "encode"


async def test_the_maps_of_a_static_clip_are_static(serving: Any) -> None:
    async with serving("Marigold") as video:
        white = video.put_clip([Image.new("RGB", (32, 32), "white")] * 3)
        made = await _maps(video, "still", video=white)
        assert list((await video.model()).intrinsic_kinds) == [entry.kind for entry in made.maps]
        changes = [value for name, value in made.record.parameters.items() if name.startswith("temporal_change")]
        assert len(changes) == len(made.maps) and max(changes) == 0


async def test_unsupported_clips_are_refused_with_the_field(serving: Any) -> None:
    async with serving("Marigold") as video:
        picture = video.put_picture((32, 32))
        clip = video.put_clip([video.picture((32, 32))] * 2)
        wide = video.put_clip([Image.new("RGB", (2050, 16))] * 2)
        for index, (fields, words) in enumerate(
            [
                ({}, "video: this model decomposes clips"),
                ({"video": picture}, "video: is a PNG image; send a clip"),
                ({"video": video.store.put_bytes(b"", "video/mp4")}, "video: is damaged"),
                ({"video": wide}, "video: has 2050×16 pixels; sides of 2 to 2048"),
                ({"video": clip, "kinds": [_DEPTH, 8]}, "kinds[1]: is none of albedo"),
                ({"video": clip, "preset": "best"}, "preset: 'best' is none of balanced"),
            ]
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await _maps(video, f"bad-{index}", **fields)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert words in (refused.value.details() or "")
        code, said = await video.refusal("clip", prompt="a lemon")
        assert code is grpc.StatusCode.UNIMPLEMENTED and "makes no clips" in said


async def test_a_cancelled_decomposition_frees_the_worker(serving: Any) -> None:
    async with serving("Marigold", grace_period_s=0.0) as video:
        clip = video.put_clip([video.picture((32, 32))] * 400)
        call = video.stub.DecomposeVideo(video_pb2.DecomposeVideoRequest(job={"request_id": "long"}, video=clip))
        async for event in call:
            if event.progress.stage == "denoise":
                break
        call.cancel()
        async with asyncio.timeout(10):
            await _maps(video, "next", video=video.put_clip([video.picture((32, 32))] * 2), kinds=[_DEPTH])
