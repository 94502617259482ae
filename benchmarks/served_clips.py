"""Clips of a Wan pipeline that is there already, made by the video service around it."""

import asyncio
import statistics
import tempfile
from dataclasses import dataclass
from typing import Any

from figures import Figure
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.testing import running_service
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.testing import t5_tokenizer
from lumenmill_video.families import family_of
from lumenmill_video.settings import VideoSettings
from served import BuiltHost, Served, calls_of, served_figures
from transformers import UMT5Config, UMT5EncoderModel

__all__ = ["Shape", "served_clips"]

_MODEL, _NUM_QUEUED = "Wan2.1-T2V-14B", 3


@dataclass(frozen=True)
class Shape:
    """What is made, and its name in figures."""

    name: str
    size_px: tuple[int, int]
    num_frames: int
    num_steps: int


async def served_clips(
    pipe: Any, device: str, shape: Shape, *, is_held: bool, full_s: float | None = None, num_turns: int = 3
) -> list[Figure]:
    """The figures of the service around a text-to-video pipeline, whose attention and compilation stay as they are.
    `full_s` and `is_held` as `served_figures`; without `full_s`, calls are as they are in production."""
    with tempfile.TemporaryDirectory(prefix="lumenmill-benchmark-") as folder:
        settings = VideoSettings(
            model=_MODEL,
            device=device,
            store_url=f"file://{folder}/store",
            listen_address="127.0.0.1:0",
            metrics_address="",
            drain_s=0.0,
        )
        host = BuiltHost(settings, read_catalogue("lumenmill_video"), _with_words(pipe))
        family = family_of(host, settings)
        family.parts = dict  # type: ignore[attr-defined]  # all are there already
        jobs = jobs_from(settings, settings.model, max_batch_size=family.max_batch_size)
        async with running_service(family_service(family, jobs, video_pb2.DESCRIPTOR), settings) as channel:
            stub = video_pb2_grpc.VideoServiceStub(channel)
            served = await _calls(stub, host, shape, num_turns)
    if full_s is None:
        full_s = statistics.median(end_s - begin_s for begin_s, end_s in served.bare)
    return served_figures(shape.name, served, full_s, is_held=is_held)


def _with_words(pipe: Any) -> Any:
    """The pipeline with a small text encoder whose embeddings have the right width: a service must encode something."""
    width = pipe.transformer.config.text_dim
    config = UMT5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    pipe.register_modules(tokenizer=t5_tokenizer(), text_encoder=UMT5EncoderModel(config).to(pipe.transformer.dtype))
    return pipe


async def _calls(stub: video_pb2_grpc.VideoServiceStub, host: BuiltHost, shape: Shape, num_turns: int) -> Served:
    with calls_of(host.pipe, host.device) as spans:
        await _made(stub, shape, "warm-up")
        spans.clear()
        for number in range(num_turns):
            await _made(stub, shape, f"alone-{number}")
            _bare(host, shape, number)
        alone, bare = spans[0::2], spans[1::2]
        spans.clear()
        await asyncio.gather(*(_made(stub, shape, f"queued-{number}") for number in range(_NUM_QUEUED)))
        return Served(bare, alone, spans.copy())


async def _made(stub: video_pb2_grpc.VideoServiceStub, shape: Shape, request_id: str) -> None:
    request = video_pb2.GenerateVideoRequest(
        job={"request_id": request_id},
        prompt=request_id,
        width_px=shape.size_px[0],
        height_px=shape.size_px[1],
        num_frames=shape.num_frames,
        sampling={"num_steps": shape.num_steps},
    )
    async for _ in stub.GenerateVideo(request):
        pass


def _bare(host: BuiltHost, shape: Shape, seed: int) -> None:
    """The same call as the service's, without it."""
    arguments = host.entry.arguments
    host.pipe(
        prompt=[f"bare-{seed}"],
        negative_prompt=[arguments["negative_prompt"]],
        guidance_scale=arguments["guidance_scale"],
        max_sequence_length=arguments["max_sequence_length"],
        width=shape.size_px[0],
        height=shape.size_px[1],
        num_frames=shape.num_frames,
        num_inference_steps=shape.num_steps,
        generator=[host.device.generator(seed)],
        output_type="latent" if host.overlaps_decoding else "np",
    )
