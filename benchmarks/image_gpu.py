"""Seconds of a picture at full size on this GPU, by stage: the imager against the defaults of diffusers; and the
overhead of the service.

The pipelines have the published configurations and random weights, which are as fast as trained ones; FLUX.1-dev in
bfloat16, SDXL in float16, at 1024 × 1024 with the steps and guidance of their presets. The same pipeline runs with the
defaults of diffusers, then in the imager, with compiled blocks and another attention backend, over gRPC on this
machine. torch counts the floating-point operations of a step; the peak is measured with a large bfloat16 matrix
product. --quick runs 4 steps and scales the seconds of denoising.

Without a GPU, or with --tiny, the same code runs at a tiny size, and its figures are meaningless.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from figures import Figure, median_of, report
from served import BuiltHost, served_figures
from served_pictures import PROMPT, served_pictures
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.device import Device, find_device
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.stages import timed_stages
from lumenmill_neural.testing import clip_tokenizer, sdxl_scheduler, t5_tokenizer, tiny_flux, tiny_sdxl

_QUICK_STEPS = 4
_STAGES = ("text_encode", "denoise", "decode")

# vae/config.json of FLUX.1-dev and of stable-diffusion-xl-base-1.0.
_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "sample_size": 1024,
}
_FLUX_VAE = {
    "latent_channels": 16,
    "scaling_factor": 0.3611,
    "shift_factor": 0.1159,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
# text_encoder_2/config.json of FLUX.1-dev.
_T5 = {"d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "feed_forward_proj": "gated-gelu"}
# text_encoder/config.json of both, and text_encoder_2/config.json of SDXL.
_CLIP_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
_CLIP_G = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20}
# unet/config.json of stable-diffusion-xl-base-1.0.
_SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
}


def _flux(scheduler: Any) -> FluxPipeline:
    return FluxPipeline(
        scheduler=scheduler,
        text_encoder=CLIPTextModel(CLIPTextConfig(**_CLIP_L, projection_dim=768)),
        text_encoder_2=T5EncoderModel(T5Config(vocab_size=32128, **_T5)),
        tokenizer=clip_tokenizer(),
        tokenizer_2=t5_tokenizer(),
        transformer=FluxTransformer2DModel(guidance_embeds=True),
        vae=AutoencoderKL(**_VAE, **_FLUX_VAE),
    )


def _sdxl(scheduler: Any) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=AutoencoderKL(**_VAE, scaling_factor=0.13025, force_upcast=True),
        text_encoder=CLIPTextModel(CLIPTextConfig(**_CLIP_L, projection_dim=768)),
        text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**_CLIP_G, hidden_act="gelu", projection_dim=1280)),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=UNet2DConditionModel(**_SDXL_UNET),
        scheduler=scheduler,
    )


@dataclass(frozen=True)
class _Case:
    model: str
    full: Callable[[Any], Any]
    tiny: Callable[[], Any]
    scheduler: Callable[[], Any]


def _flux_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return the scheduler of FLUX.1-dev's checkpoint."""
    return FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)


_CASES = (
    _Case("FLUX.1-dev", _flux, tiny_flux, _flux_scheduler),
    _Case("SDXL", _sdxl, tiny_sdxl, sdxl_scheduler),
)


@dataclass(frozen=True)
class _Scale:
    """Size, steps and repetitions."""

    tiny: bool
    quick: bool
    attention_backend: str

    @property
    def side_px(self) -> int:
        return 64 if self.tiny else 1024

    @property
    def num_repetitions(self) -> int:
        return 1 if self.quick or self.tiny else 3


@dataclass
class _Times:
    """A job that only collects the seconds of the stages of one picture."""

    stages_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def check_cancelled(self) -> None:
        """Do nothing: it is never cancelled."""

    def progress(self, *_: object) -> None:
        """Do nothing."""

    def add_stage_time(self, stage: str, duration_s: float) -> None:
        self.stages_s[stage] += duration_s


def _built(case: _Case, scale: _Scale, device: Device, dtype: torch.dtype) -> Any:
    if scale.tiny:
        return case.tiny()
    scheduler = case.scheduler()  # computes with numpy, and so never on the device
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device.torch_device):
            pipe = case.full(scheduler)
    finally:
        torch.set_default_dtype(torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device.torch_device)


def _peak_tflops(device: Device, side: int) -> float:
    left, right = (torch.randn(side, side, device=device.torch_device, dtype=torch.bfloat16) for _ in range(2))
    taken_s = []
    for _ in range(10):
        device.synchronize()
        started_s = time.perf_counter()
        left @ right
        device.synchronize()
        taken_s.append(time.perf_counter() - started_s)
    return 2 * side**3 / statistics.median(taken_s[3:]) / 1e12


def _step_flops(pipe: Any, arguments: dict[str, Any]) -> float:
    """Return the operations of one step: the difference between two steps and one."""
    counts = []
    for num_steps in (1, 2):
        with FlopCounterMode(display=False) as counter:
            pipe(prompt=[PROMPT], **(arguments | {"num_inference_steps": num_steps}))
        counts.append(counter.get_total_flops())
    return float(counts[1] - counts[0])


def _plain(pipe: Any, device: Device, arguments: dict[str, Any], num_repetitions: int) -> list[dict[str, float]]:
    """Return the stage times of pictures made by diffusers directly; the first is a warm-up."""
    runs = []
    for seed in range(num_repetitions + 1):
        times = _Times()
        with timed_stages(pipe, [times], device):  # type: ignore[list-item]
            pipe(prompt=[PROMPT], generator=[device.generator(seed)], **arguments)
        runs.append(dict(times.stages_s))
    return runs[1:]


def _case_figures(case: _Case, scale: _Scale, device: Device, peak_tflops: float) -> list[Figure]:
    entry = read_catalogue("lumenmill_imager")[case.model]
    pipe = _built(case, scale, device, device.dtype(entry.dtype))
    pipe.set_progress_bar_config(disable=True)
    num_steps = int(entry.arguments["num_inference_steps"])
    timed_steps = _QUICK_STEPS if scale.quick or scale.tiny else num_steps
    size = {"width": scale.side_px, "height": scale.side_px, "num_inference_steps": timed_steps}
    arguments = entry.arguments | size
    step_flops = _step_flops(pipe, arguments)
    plain = _plain(pipe, device, arguments, scale.num_repetitions)
    with tempfile.TemporaryDirectory(prefix="lumenmill-benchmark-") as folder:
        settings = NeuralSettings(
            model=case.model,
            device=str(device.torch_device),
            store_url=f"file://{folder}/store",
            listen_address="127.0.0.1:0",
            metrics_address="",
            drain_s=0.0,
            compile=not scale.tiny,
            attention_backend="" if scale.tiny else scale.attention_backend,
        )
        host = BuiltHost(settings, read_catalogue("lumenmill_imager"), pipe)
        measured = asyncio.run(served_pictures(host, arguments, scale.num_repetitions))
    name = f"{case.model}, {scale.side_px}², {num_steps} steps"
    by_source = {
        "diffusers": _by_stage(plain, num_steps / timed_steps),
        "imager": _by_stage(measured.stages, num_steps / timed_steps),
    }
    denoise_s = {source: statistics.median(stages["denoise"]) for source, stages in by_source.items()}
    sum_s = sum(statistics.median(seconds) for seconds in by_source["imager"].values())
    tflop = step_flops * num_steps / 1e12
    return [
        *(
            median_of(f"{name}: {stage}, {source}", stages[stage], "s")
            for stage in _STAGES
            for source, stages in by_source.items()
        ),
        Figure(f"{name}: denoising, imager against diffusers", denoise_s["diffusers"] / denoise_s["imager"], "times"),
        Figure(f"{name}: work of denoising", tflop, "TFLOP"),
        *(Figure(f"{name}: rate, {source}", tflop / taken_s, "TFLOP/s") for source, taken_s in denoise_s.items()),
        *(
            Figure(f"{name}: share of the peak, {source}", tflop / taken_s / peak_tflops * 100, "%")
            for source, taken_s in denoise_s.items()
        ),
        median_of(f"{name}: from the request to the PNG in the store, {timed_steps} steps", measured.taken_s, "s"),
        *served_figures(name, measured.served, sum_s, has_targets=not (scale.tiny or scale.quick)),
    ]


def _by_stage(runs: Sequence[dict[str, float]], denoise_factor: float) -> dict[str, list[float]]:
    factors = {"denoise": denoise_factor}
    return {stage: [run.get(stage, 0.0) * factors.get(stage, 1.0) for run in runs] for stage in _STAGES}


def measure(scale: _Scale, device: Device) -> list[Figure]:
    """Measure one model after the other, so that each has the device to itself."""
    peak_tflops = _peak_tflops(device, 256 if scale.tiny else 8192)
    figures = [Figure("bfloat16 matrix product, measured peak", peak_tflops, "TFLOP/s")]
    for case in _CASES:
        figures += _case_figures(case, scale, device, peak_tflops)
        gc.collect()
        device.free()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a tiny size: only checks that it runs")
    parser.add_argument("--quick", action="store_true", help="few steps, once, scaled")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--attention-backend", default="_native_cudnn", help="of the imager; empty: diffusers' own")
    given = parser.parse_args()
    device = find_device("auto")
    tiny = given.tiny or device.is_cpu
    if tiny:
        sys.stderr.write(f"{device.name}: at a tiny size, its figures are meaningless\n")
        device = find_device("cpu")
    report(measure(_Scale(tiny, given.quick, given.attention_backend), device), given.json)


if __name__ == "__main__":
    main()
