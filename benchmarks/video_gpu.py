"""Seconds of a clip at full size on this GPU: our settings against the defaults of diffusers.

Weights are random, which is as fast as trained ones. There is no text encoder: embeddings of its shape are random, and
a service encodes a prompt once. A few calls of the denoiser are timed and scaled: a step with guidance is two calls, a
clip has 50 steps for Wan and 60 for SVD; the cost of a distilled LoRA is left out. H.264 encoding is measured
separately, because it overlaps the next clip. The service makes text-to-video clips too, over gRPC, in a few steps: its
overhead over the pipeline's call, and how long the GPU is idle between queued clips, as a share of a full clip.
`lumenmill_video.cost` counts floating-point operations; the peak is measured with a large bfloat16 matrix product.

Without a GPU, or with --tiny, the same code runs at a tiny size, and its figures are meaningless.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from figures import Figure, report
from PIL import Image
from served_clips import Shape, served_clips
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

from lumenmill_media import Encoding, write_clip
from lumenmill_video.cost import WanCost, num_tokens

# transformer/config.json of Wan2.1-T2V-14B-Diffusers, -I2V-14B-480P-Diffusers and -VACE-14B-diffusers.
_WAN_14B = {"num_attention_heads": 40, "attention_head_dim": 128, "ffn_dim": 13824, "num_layers": 40, "text_dim": 4096}
_WAN_TINY = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 32, "num_layers": 2, "text_dim": 4096}
_I2V = {"in_channels": 36, "image_dim": 1280}
_VACE = {"vace_layers": list(range(0, 40, 5)), "vace_in_channels": 96}
_VAE_TINY = {"base_dim": 3, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
_VISION = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16}
_VISION_TINY = {"hidden_size": 1280, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 16}
# unet/config.json and vae/config.json of stable-video-diffusion-img2vid-xt.
_SVD_UNET = {"num_attention_heads": (5, 10, 20, 20), "num_frames": 25}
_SVD_UNET_TINY = {"block_out_channels": (32,) * 4, "num_attention_heads": 2, "layers_per_block": 1}
_SVD_VAE = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
_SVD_VAE_TINY = {"block_out_channels": (32,) * 4, "layers_per_block": 1}
_TEXT_SHAPE = (1, 512, 4096)
# diffusers keeps these in single floats when it loads Wan in bfloat16.
_SINGLE_FLOATS = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
_WAN_STEPS, _SVD_STEPS, _FEW_STEPS = 50, 60, 4
# On one H200 the best lossless settings take 237 s and 954 s.
_MOST_S = {"480p": 255.0, "720p": 985.0}


@dataclass(frozen=True)
class Case:
    """One clip."""

    name: str
    task: str
    size_px: tuple[int, int]
    num_frames: int
    most_s: float | None = None


_CASES = [
    Case(f"wan-14b-{task} {lines}", task, size_px, 81, _MOST_S[lines] if task != "vace" else None)
    for task in ("t2v", "i2v", "vace")
    for lines, size_px in (("480p", (832, 480)), ("720p", (1280, 720)))
] + [Case("svd-xt 576p", "svd", (1024, 576), 25)]


@dataclass
class Stages:
    """Seconds of one run: each call of the denoiser, decoding, and what comes before denoising."""

    calls_s: list[float] = field(default_factory=list)
    decode_s: float = 0.0
    before_s: float = 0.0

    @property
    def call_s(self) -> float:
        """Median of the last calls; the first ones compile and tune."""
        return statistics.median(self.calls_s[-2:])


class Bench:
    """The device, and models built on it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.is_tiny = options, options.tiny or not torch.cuda.is_available()
        self.device = torch.device("cuda" if torch.cuda.is_available() and not options.tiny else "cpu")
        self.dtype = torch.bfloat16
        self.peak_flops = self._peak_flops()

    def wait(self) -> None:
        """Wait until the device has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def built(self, make: Callable[[], Any], dtype: torch.dtype) -> Any:
        """Build a model with random weights, on its device."""
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            with torch.device(self.device):
                return make().eval()
        finally:
            torch.set_default_dtype(before)

    def _peak_flops(self) -> float:
        side = 256 if self.is_tiny else 16384
        one, other = (torch.randn(side, side, device=self.device, dtype=self.dtype) for _ in range(2))
        seconds = []
        for _ in range(8):
            self.wait()
            started_s = time.perf_counter()
            one @ other
            self.wait()
            seconds.append(time.perf_counter() - started_s)
        return 2.0 * side**3 / statistics.median(seconds[2:])

    @contextmanager
    def timed_decode(self, vae: Any, stages: Stages) -> Iterator[None]:
        """Measure the seconds of `vae.decode`."""
        decode = vae.decode

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.wait()
            started_s = time.perf_counter()
            made = decode(*args, **kwargs)
            self.wait()
            stages.decode_s += time.perf_counter() - started_s
            return made

        vae.decode = timed
        try:
            yield
        finally:
            vae.decode = decode

    @contextmanager
    def timed_calls(self, denoiser: Any, stages: Stages) -> Iterator[None]:
        """Measure the seconds between the ends of the denoiser's calls, and before the first."""
        self.wait()
        started_s = time.perf_counter()
        ends_s: list[float] = []

        def before(module: Any, inputs: Any) -> None:
            if not ends_s:
                self.wait()
                ends_s.append(time.perf_counter())

        def after(module: Any, inputs: Any, outputs: Any) -> None:
            self.wait()
            ends_s.append(time.perf_counter())

        hooks = [denoiser.register_forward_pre_hook(before), denoiser.register_forward_hook(after)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        stages.before_s = ends_s[0] - started_s
        stages.calls_s += [later - earlier for earlier, later in pairwise(ends_s)]


def _wan(bench: Bench, case: Case) -> tuple[Any, dict[str, Any]]:
    """Return a pipeline and the arguments of its calls."""
    config: dict[str, Any] = dict(_WAN_TINY if bench.is_tiny else _WAN_14B)
    if case.task == "i2v":
        config |= _I2V | {"added_kv_proj_dim": config["num_attention_heads"] * config["attention_head_dim"]}
    if case.task == "vace":
        config |= _VACE | ({"vace_layers": [0]} if bench.is_tiny else {})
    kind = WanVACETransformer3DModel if case.task == "vace" else WanTransformer3DModel
    transformer = bench.built(lambda: kind(**config), bench.dtype)
    for name, parameter in transformer.named_parameters():
        if any(part in name.split(".") for part in _SINGLE_FLOATS):
            parameter.data = parameter.data.float()
    vae = bench.built(lambda: AutoencoderKLWan(**(_VAE_TINY if bench.is_tiny else {})), torch.float32)
    parts = {"tokenizer": None, "text_encoder": None, "vae": vae, "transformer": transformer}
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    words = torch.randn(_TEXT_SHAPE, device=bench.device, dtype=bench.dtype)
    arguments = {"prompt_embeds": words, "guidance_scale": 1.0}
    if case.task == "i2v":
        vision = CLIPVisionConfig(image_size=224, patch_size=14, **(_VISION_TINY if bench.is_tiny else _VISION))
        encoder = bench.built(lambda: CLIPVisionModel(vision), torch.float32)
        more = {"image_encoder": encoder, "image_processor": CLIPImageProcessor()}
        arguments["image"] = Image.new("RGB", case.size_px, "gray")
        return WanImageToVideoPipeline(scheduler=scheduler, **parts, **more), arguments
    if case.task == "vace":
        arguments["video"] = [Image.new("RGB", case.size_px, "gray")] * case.num_frames
        return WanVACEPipeline(scheduler=scheduler, **parts), arguments
    return WanPipeline(scheduler=scheduler, **parts), arguments


def _svd(bench: Bench, case: Case) -> tuple[Any, dict[str, Any]]:
    half = torch.float32 if bench.is_tiny else torch.float16
    unet = bench.built(
        lambda: UNetSpatioTemporalConditionModel(**(_SVD_UNET_TINY if bench.is_tiny else _SVD_UNET)), half
    )
    shape = _SVD_VAE_TINY if bench.is_tiny else _SVD_VAE
    vae = bench.built(lambda: AutoencoderKLTemporalDecoder(down_block_types=("DownEncoderBlock2D",) * 4, **shape), half)
    vision = CLIPVisionConfig(
        image_size=224, patch_size=14, projection_dim=1024, **(_VISION_TINY if bench.is_tiny else _VISION)
    )
    pipe = StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=bench.built(lambda: CLIPVisionModelWithProjection(vision), half),
        unet=unet,
        scheduler=EulerDiscreteScheduler(prediction_type="v_prediction", use_karras_sigmas=True),
        feature_extractor=CLIPImageProcessor(),
    )
    return pipe, {"image": Image.new("RGB", case.size_px, "gray"), "decode_chunk_size": 14}


def _run(bench: Bench, case: Case, pipe: Any, arguments: dict[str, Any]) -> tuple[Stages, np.ndarray]:
    stages = Stages()
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    with bench.timed_decode(pipe.vae, stages), bench.timed_calls(denoiser, stages):
        made = pipe(
            width=case.size_px[0],
            height=case.size_px[1],
            num_frames=case.num_frames,
            num_inference_steps=bench.options.calls,
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="np",
            **arguments,
        )
    # Random weights may overflow, which takes the same time.
    return stages, (np.nan_to_num(made.frames[0]) * 255).round().astype(np.uint8)


def _encode_s(pixels: np.ndarray, size_px: tuple[int, int]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        write_clip(Path(folder) / "clip.mp4", pixels, size_px, 16, Encoding())
        return time.perf_counter() - started_s


def _figures(
    bench: Bench, case: Case, variant: str, stages: Stages, flops: float | None
) -> tuple[list[Figure], float, float]:
    """Return the figures of a run, the seconds of a clip, and those of a clip in four steps without guidance."""
    is_wan = case.task != "svd"
    num_calls = _WAN_STEPS * 2 if is_wan else _SVD_STEPS
    rest_s = stages.before_s + stages.decode_s
    clip_s = num_calls * stages.call_s + rest_s
    few_s = _FEW_STEPS * stages.call_s + rest_s
    name = f"{case.name}, {variant}"
    target = {"at_most": case.most_s} if case.most_s and variant == "ours" and not bench.is_tiny else {}
    figures = [
        Figure(f"{name}: clip, {num_calls} calls", clip_s, "s", **target),
        Figure(f"{name}: a call of the denoiser", stages.call_s, "s"),
        Figure(f"{name}: before denoising", stages.before_s, "s"),
        Figure(f"{name}: decoded", stages.decode_s, "s"),
    ]
    if flops is not None:
        figures += [
            Figure(f"{name}: denoiser", flops / stages.call_s / 1e12, "TFLOP/s"),
            Figure(f"{name}: of the measured peak", 100 * flops / stages.call_s / bench.peak_flops, "%"),
        ]
    return figures, clip_s, few_s


def _measure(bench: Bench, case: Case) -> Iterator[Figure]:
    if bench.is_tiny:
        case = Case(case.name, case.task, (128, 64), 5)
    pipe, arguments = (_svd if case.task == "svd" else _wan)(bench, case)
    pipe.set_progress_bar_config(disable=True)
    denoiser = getattr(pipe, "transformer", None) or pipe.unet
    flops = None
    if case.task != "svd":
        flops = WanCost.of(denoiser.config).forward_flops(num_tokens(case.num_frames, *case.size_px))
    stages, pixels = _run(bench, case, pipe, arguments)
    plain, plain_s, _ = _figures(bench, case, "plain diffusers", stages, flops)
    yield from plain
    if bench.options.attention and hasattr(denoiser, "set_attention_backend"):
        denoiser.set_attention_backend(bench.options.attention)
    if bench.options.compile:
        denoiser.compile_repeated_blocks(fullgraph=True)
    stages, pixels = _run(bench, case, pipe, arguments)
    ours, ours_s, few_s = _figures(bench, case, "ours", stages, flops)
    yield from ours
    yield Figure(f"{case.name}: plain diffusers ÷ ours", plain_s / ours_s, "ratio")
    if case.task == "t2v":
        shape = Shape(f"{case.name}, {bench.options.calls} steps", case.size_px, case.num_frames, bench.options.calls)
        yield from asyncio.run(
            served_clips(pipe, str(bench.device), shape, has_targets=not bench.is_tiny, full_s=ours_s)
        )
    if case.task != "svd":
        target = {} if bench.is_tiny else {"at_least": 20.0}
        yield Figure(f"{case.name}: plain diffusers ÷ ours in four steps", plain_s / few_s, "ratio", **target)
    yield Figure(f"{case.name}: H.264, while the next clip is made", _encode_s(pixels, case.size_px), "s")


def main() -> None:
    """Measure the selected cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU: only checks that it runs")
    parser.add_argument("--only", default="", help="cases whose name has this, for example `t2v 480p`")
    parser.add_argument("--attention", default=None, help="attention backend of diffusers; _native_cudnn on a GPU")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None, help="default on a GPU")
    parser.add_argument("--calls", type=int, default=4, help="calls of the denoiser that are timed; the last two count")
    options = parser.parse_args()
    has_gpu = torch.cuda.is_available() and not options.tiny
    options.attention = ("_native_cudnn" if has_gpu else "") if options.attention is None else options.attention
    options.compile = has_gpu if options.compile is None else options.compile
    options.calls = max(options.calls, 2)
    bench = Bench(options)
    name = torch.cuda.get_device_name() if has_gpu else "no GPU: tiny models on the CPU, meaningless figures"
    sys.stderr.write(f"{name}; torch {torch.__version__}, attention {options.attention or 'default'}, ")
    sys.stderr.write(f"{'compiled' if options.compile else 'not compiled'}\n")
    figures = [Figure("matrix product, peak", bench.peak_flops / 1e12, "TFLOP/s")]
    for case in _CASES:
        if options.only in case.name:
            sys.stderr.write(f"{case.name} …\n")
            figures += _measure(bench, case)
            gc.collect()
            if has_gpu:
                torch.cuda.empty_cache()
    report(figures, options.json)


if __name__ == "__main__":
    main()
