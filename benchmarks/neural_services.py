"""The overhead of a neural service over the call of its pipeline, and how long its device is idle between queued jobs.
FLUX.1-dev and Wan2.1 have random weights of a megabyte, on one core of the CPU, for calls of about three seconds. The
overhead does not grow with the model, and a full-size clip takes minutes. Calls in the service and direct calls
alternate."""

import asyncio
import statistics
import tempfile

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanPipeline, WanTransformer3DModel
from figures import Figure, run_benchmark
from served import BuiltHost, served_figures
from served_clips import Shape, served_clips
from served_pictures import served_pictures

from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.testing import seeded, tiny_flux

_CLIP = Shape("Wan2.1, 384², 17 frames, 40 steps", (384, 384), 17, 40)
_SMALL_CLIP = Shape("Wan2.1, 64², 5 frames, 4 steps", (64, 64), 5, 4)
_NUM_STEPS = 28


def _pictures(side_px: int, num_repetitions: int, *, has_targets: bool) -> list[Figure]:
    pipe, catalogue = tiny_flux(), read_catalogue("lumenmill_imager")
    pipe.set_progress_bar_config(disable=True)
    size = {"width": side_px, "height": side_px, "num_inference_steps": _NUM_STEPS}
    with tempfile.TemporaryDirectory(prefix="lumenmill-benchmark-") as folder:
        settings = NeuralSettings(
            model="FLUX.1-dev",
            device="cpu",
            store_url=f"file://{folder}/store",
            listen_address="127.0.0.1:0",
            metrics_address="",
            drain_s=0.0,
        )
        arguments = catalogue["FLUX.1-dev"].arguments | size
        measured = asyncio.run(served_pictures(BuiltHost(settings, catalogue, pipe), arguments, num_repetitions))
    full_s = statistics.median(end_s - begin_s for begin_s, end_s in measured.served.direct)
    name = f"FLUX.1-dev, {side_px}², {_NUM_STEPS} steps"
    return served_figures(name, measured.served, full_s, has_targets=has_targets)


def _clips(shape: Shape, num_repetitions: int, *, has_targets: bool) -> list[Figure]:
    config = {"num_attention_heads": 2, "attention_head_dim": 24, "text_dim": 32, "freq_dim": 32, "ffn_dim": 96}
    vae = {"base_dim": 3, "z_dim": 16, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}
    pipe = WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=seeded(lambda: AutoencoderKLWan(**vae, temperal_downsample=[False, True, True])),
        transformer=seeded(lambda: WanTransformer3DModel(**config, num_layers=2, in_channels=16, out_channels=16)),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    )
    return asyncio.run(served_clips(pipe, "cpu", shape, num_repetitions=num_repetitions, has_targets=has_targets))


def measure(quick: bool) -> list[Figure]:
    """Measure one model after the other."""
    torch.set_num_threads(1)
    if quick:
        return [*_pictures(64, 2, has_targets=False), *_clips(_SMALL_CLIP, 2, has_targets=False)]
    return [*_pictures(256, 11, has_targets=True), *_clips(_CLIP, 11, has_targets=True)]


if __name__ == "__main__":
    run_benchmark(__doc__, measure)
