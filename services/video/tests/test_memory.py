"""Memory of the device: overlapped decoding, smaller chunks, released frames."""

import asyncio
import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableVideoDiffusionPipeline, WanTransformer3DModel, WanVACETransformer3DModel
from diffusers.models.autoencoders.autoencoder_kl_wan import WanDecoder3d
from PIL import Image

from lumenmill.common.v1.generation_pb2 import Progress
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.video.v1 import video_pb2
from lumenmill_video.families import wan_vace

_SIZE = {"width_px": 64, "height_px": 32, "num_frames": 9}


def _fields(video: Any, model: str, seed: int) -> dict[str, Any]:
    media = {
        "Wan2.1-T2V-14B": lambda: {},
        "Wan2.1-I2V-14B-480P": lambda: {"image": video.put_picture((64, 32), seed)},
        "Wan2.1-VACE-1.3B": lambda: {
            "control_clip": video.put_clip([video.picture((64, 32), index) for index in range(9)]),
            "reference_images": [video.put_picture((48, 48), seed)],
        },
    }
    return {"prompt": f"{seed} lemons", "seed": seed, **media[model](), **_SIZE}


@pytest.mark.parametrize("model", ["Wan2.1-T2V-14B", "Wan2.1-I2V-14B-480P", "Wan2.1-VACE-1.3B"])
async def test_a_clip_is_decoded_while_the_next_is_denoised(
    serving: Any, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(model) as video:
        asked = [_fields(video, model, seed) for seed in range(2)]
        denoised = _count_denoiser_calls(monkeypatch)
        alone = [await video.clip(f"alone-{seed}", **asked[seed]) for seed in range(2)]
        met = _overlap_decoding_with_denoising(monkeypatch, num_calls_per_clip=len(denoised) // 2)
        together = await asyncio.gather(*(video.clip(f"both-{seed}", **asked[seed]) for seed in range(2)))
        assert met == [True, True]
        # Bit-identical, although the VAE encoded pictures of the second clip while it decoded the first.
        assert [made.video.sha256 for made in together] == [made.video.sha256 for made in alone]
        stages = {stage.stage: stage.duration_s for stage in together[0].record.stage_times}
        assert stages["decode"] > 0 and list(stages)[-2:] == ["decode", "encode"]


def _count_denoiser_calls(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that grows by one element for each call from now on."""
    calls: list[None] = []
    _before_each_call(monkeypatch, [WanTransformer3DModel, WanVACETransformer3DModel], lambda: calls.append(None))
    return calls


def _overlap_decoding_with_denoising(monkeypatch: pytest.MonkeyPatch, num_calls_per_clip: int) -> list[bool]:
    """Make the decoder of the first clip and the denoiser of the second wait for each other.

    Return a list in which each of them records whether the other arrived.
    """
    decoding, denoising = threading.Event(), threading.Event()
    met: list[bool] = []
    num_decoded, num_denoised = itertools.count(1), itertools.count(1)

    def meet(here: threading.Event, there: threading.Event) -> None:
        here.set()
        met.append(there.wait(20))

    def on_decode() -> None:
        if next(num_decoded) == 2:
            meet(decoding, denoising)

    def on_denoise() -> None:
        if next(num_denoised) == num_calls_per_clip + 1:
            meet(denoising, decoding)

    _before_each_call(monkeypatch, [WanDecoder3d], on_decode)
    _before_each_call(monkeypatch, [WanTransformer3DModel, WanVACETransformer3DModel], on_denoise)
    return met


def _before_each_call(monkeypatch: pytest.MonkeyPatch, kinds: list[Any], action: Callable[[], None]) -> None:
    for kind in kinds:

        def forward(*args: Any, _forward: Any = kind.forward, **kwargs: Any) -> Any:
            action()
            return _forward(*args, **kwargs)

        monkeypatch.setattr(kind, "forward", forward)


async def test_svd_decodes_fewer_frames_at_once_when_memory_is_exhausted(
    serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, tried = StableVideoDiffusionPipeline.decode_latents, []

    def decoded(self: Any, latents: Any, num_frames: int, decode_chunk_size: int) -> Any:
        tried.append(decode_chunk_size)
        if decode_chunk_size > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(self, latents, num_frames, decode_chunk_size)

    async with serving("SVD-XT") as video:
        asked = {"image": video.put_picture((64, 64)), "num_frames": 3, "width_px": 64, "height_px": 64}
        monkeypatch.setattr(StableVideoDiffusionPipeline, "decode_latents", decoded)
        made = await video.clip("full", preset="dynamic", **asked)
        assert tried == [14, 10] and made.record.parameters["decode_chunk_size"] == 10
        tried.clear()
        await video.clip("again", preset="dynamic", seed=1, **asked)
        assert tried == [14, 10]  # the next clip starts with the usual chunk size


async def test_vace_keeps_no_control_frames_at_full_size(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    frames: weakref.WeakValueDictionary[int, Image.Image] = weakref.WeakValueDictionary()
    most = 0

    def tracked(*args: Any) -> Any:
        nonlocal most
        for index, frame in enumerate(original(*args)):
            frames[index] = frame
            most = max(most, len(frames))
            yield frame

    original = wan_vace.iter_frames
    async with serving("Wan2.1-VACE-1.3B") as video:
        clip = video.put_clip([Image.new("RGB", (256, 128), (index, 0, 0)) for index in range(9)])
        monkeypatch.setattr(wan_vace, "iter_frames", tracked)
        await video.clip("large", control_clip=clip, control_mask=clip, width_px=64, height_px=32)
        assert 0 < most <= 3


async def test_progress_counts_the_steps_of_all_chunks(serving: Any) -> None:
    async with serving("Marigold") as video:
        clip = video.put_clip([Image.new("RGB", (32, 32), (9 * index, 0, 0)) for index in range(10)])
        steps: list[tuple[int, int]] = []
        for attempt in range(10):  # callers get the newest progress only; on a busy machine the job may have finished
            request = video_pb2.DecomposeVideoRequest(
                job={"request_id": f"long-{attempt}"}, video=clip, kinds=[IntrinsicKind.INTRINSIC_KIND_DEPTH]
            )
            received: list[Progress] = [
                event.progress async for event in video.stub.DecomposeVideo(request) if event.HasField("progress")
            ]
            steps = [(event.step, event.total) for event in received if event.stage == "denoise" and event.step]
            if steps:
                break
        assert {total for _, total in steps} == {20}  # two steps for each of ten frames
        assert np.all(np.diff([step for step, _ in steps]) >= 0) and 0 < steps[-1][0] <= 20
