"""Clips of a Wan pipeline that was built already, made by the video service."""

import asyncio
import statistics
import tempfile
from dataclasses import dataclass
from typing import Any

from figures import Figure
from served import BuiltHost, Served, calls_of, served_figures
from transformers import UMT5Config, UMT5EncoderModel

from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.testing import running_service
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.testing import t5_tokenizer
from lumenmill_video.families import family_of
from lumenmill_video.settings import VideoSettings

__all__ = ["Shape", "served_clips"]

_MODEL, _NUM_QUEUED = "Wan2.1-T2V-14B", 3


@dataclass(frozen=True)
class Shape:
    """Size and steps of a clip, and its name in figures."""

    name: str
    size_px: tuple[int, int]
    num_frames: int
    num_steps: int


async def served_clips(
    pipe: Any, device: str, shape: Shape, *, has_targets: bool, full_s: float | None = None, num_repetitions: int = 3
) -> list[Figure]:
    """Return the figures of the service around a text-to-video pipeline, without changing its attention or compilation.
    `full_s` and `has_targets` as in `served_figures`; without `full_s`, calls have their length in production."""
    with tempfile.TemporaryDirectory(prefix="lumenmill-benchmark-") as folder:
        settings = VideoSettings(
            model=_MODEL,
            device=device,
            store_url=f"file://{folder}/store",
            listen_address="127.0.0.1:0",
            metrics_address="",
            drain_s=0.0,
        )
        host = BuiltHost(settings, read_catalogue("lumenmill_video"), _with_text_encoder(pipe))
        family = family_of(host, settings)
        family.parts = dict  # type: ignore[attr-defined]  # all parts are there already
        jobs = jobs_from(settings, settings.model, max_batch_size=family.max_batch_size)
        async with running_service(family_service(family, jobs, video_pb2.DESCRIPTOR), settings) as channel:
            stub = video_pb2_grpc.VideoServiceStub(channel)
            served = await _calls(stub, host, shape, num_repetitions)
    if full_s is None:
        full_s = statistics.median(end_s - begin_s for begin_s, end_s in served.direct)
    return served_figures(shape.name, served, full_s, has_targets=has_targets)


def _with_text_encoder(pipe: Any) -> Any:
    """Add a small text encoder to the pipeline, with embeddings of the right width: the service encodes prompts."""
    width = pipe.transformer.config.text_dim
    config = UMT5Config(vocab_size=128, d_model=width, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    pipe.register_modules(tokenizer=t5_tokenizer(), text_encoder=UMT5EncoderModel(config).to(pipe.transformer.dtype))
    return pipe


async def _calls(stub: video_pb2_grpc.VideoServiceStub, host: BuiltHost, shape: Shape, num_repetitions: int) -> Served:
    with calls_of(host.pipe, host.device) as spans:
        await _made(stub, shape, "warm-up")
        spans.clear()
        for number in range(num_repetitions):
            await _made(stub, shape, f"alone-{number}")
            _call_directly(host, shape, number)
        alone, direct = spans[0::2], spans[1::2]
        spans.clear()
        await asyncio.gather(*(_made(stub, shape, f"queued-{number}") for number in range(_NUM_QUEUED)))
        return Served(direct, alone, spans.copy())


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


def _call_directly(host: BuiltHost, shape: Shape, seed: int) -> None:
    """Make the same call as the service."""
    arguments = host.entry.arguments
    host.pipe(
        prompt=[f"direct-{seed}"],
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
