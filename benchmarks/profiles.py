"""How much pictures and clips of the fast profile differ from those of lossless, on the same prompts and seeds, and how
much faster they are.

PSNR and SSIM (Wang et al., 2004, implemented by scikit-image) compare 8-bit colours, before H.264; those of a clip are
the means over its frames; 100 dB stands for equal. LPIPS is left out, because its weights would have to be downloaded.
The models run as in their services, without the gRPC server. `--checkpoint` names weights in a folder; random weights
say nothing about quality.

    python benchmarks/profiles.py FLUX.1-dev --checkpoint /models/flux
    python benchmarks/profiles.py Wan2.1-I2V-14B-480P --image photo.jpg --seeds 2
"""

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, report
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lumenmill.imager.v1.imager_pb2 import GenerateImagesRequest
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.artifacts import open_store
from lumenmill_common.telemetry import configure_logging
from lumenmill_imager.families import family_of as imager_family_of
from lumenmill_imager.families.family import ImageInputs
from lumenmill_media import put_png
from lumenmill_neural.catalogue import read_catalogue, with_own_models
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.stages import Steps
from lumenmill_video.families import family_of as video_family_of
from lumenmill_video.families import with_four_steps
from lumenmill_video.settings import VideoSettings

_PROMPTS = (
    "a lemon on slate under soft light from the left",
    "a portrait of an old fisherman by the light of a lantern, fog behind him",
    "a street in the rain at night, neon signs mirrored in the asphalt",
    "a glass of water on a wooden table in the low sun, sharp caustics",
)
_EQUAL_DB = 100.0
_PROFILES = ("lossless", "fast")

Frames = np.ndarray
"""(F, H, W, 3), 8 bits."""


class _Imager:
    """Pictures from prompts."""

    def __init__(self, settings: NeuralSettings) -> None:
        store = open_store(settings.store_url)
        self.family = imager_family_of(ModelHost(settings, store, read_catalogue("lumenmill_imager")))

    def frames(self, prompt: str, seed: int, given: argparse.Namespace) -> Frames:
        request = GenerateImagesRequest(prompt=prompt, seed=seed, **_requested(given))
        family, plan = self.family, self.family.plan(request)
        family.host.prepare(family.pipe, plan)
        steps = Steps([], plan.arguments["num_inference_steps"], family.host.device)
        (picture,) = family.pictures(plan, [ImageInputs(prompt, "", seed)], steps, family.arguments(plan, request))
        return np.asarray(picture.convert("RGB"))[None]


class _Video:
    """Clips from prompts, or from prompts and a picture."""

    def __init__(self, settings: VideoSettings) -> None:
        store = open_store(settings.store_url)
        catalogue = with_four_steps(read_catalogue("lumenmill_video"), settings)
        self.family: Any = video_family_of(ModelHost(settings, store, catalogue), settings)

    def frames(self, prompt: str, seed: int, given: argparse.Namespace) -> Frames:
        family = self.family
        media = {"image": put_png(family.host.store, Image.open(given.image).convert("RGB"))} if given.image else {}
        frames = {"num_frames": given.frames} if given.frames else {}
        clip = family.generate_video(
            GenerateVideoRequest(prompt=prompt, seed=seed, **media, **frames, **_requested(given))
        ).payload
        family.host.prepare(family.pipe, clip.plan)
        steps = Steps([], clip.plan.arguments["num_inference_steps"], family.host.device)
        (made,) = family.frames(clip.plan, [clip], [family.media(clip)], steps)
        return ((made() if callable(made) else made) * 255).round().astype(np.uint8)


def _requested(given: argparse.Namespace) -> dict[str, Any]:
    sampling = {"sampling": {"num_steps": given.steps}} if given.steps else {}
    return {"preset": given.preset, "width_px": given.width, "height_px": given.height, **sampling}


def _made(given: argparse.Namespace, profile: str, folder: str) -> tuple[list[Frames], list[float]]:
    """Return the frames that a profile makes for all prompts and seeds, and the seconds of each. The first is made
    twice, because the first call tunes kernels."""
    is_clip = given.model in read_catalogue("lumenmill_video")
    settings: dict[str, Any] = {
        "model": given.model,
        "checkpoint": given.checkpoint,
        "checkpoint_revision": given.revision,
        "presets_file": given.presets_file,
        "device": given.device,
        "compile": given.compile,
        "profile": profile,
        "fp8": given.fp8 and profile == "fast",
        "store_url": f"file://{folder}",
    }
    model = _Video(VideoSettings(**settings)) if is_clip else _Imager(NeuralSettings(**settings))
    model.family.load()
    model.frames(*next(_shots(given)), given)
    frames, seconds = [], []
    for prompt, seed in _shots(given):
        started_s = time.perf_counter()
        frames.append(model.frames(prompt, seed, given))
        seconds.append(time.perf_counter() - started_s)
    return frames, seconds


def _shots(given: argparse.Namespace) -> Iterator[tuple[str, int]]:
    prompts = given.prompts.read_text(encoding="utf-8").splitlines() if given.prompts else _PROMPTS
    for prompt in prompts:
        for seed in range(given.seeds):
            yield prompt, seed


def _psnr_db(one: Frames, other: Frames) -> float:
    with np.errstate(divide="ignore"):
        found = [peak_signal_noise_ratio(left, right) for left, right in zip(one, other, strict=True)]
    return float(np.mean(np.minimum(found, _EQUAL_DB)))


def _ssim(one: Frames, other: Frames) -> float:
    pairs = zip(one, other, strict=True)
    return float(np.mean([structural_similarity(left, right, channel_axis=-1) for left, right in pairs]))


def _figures(name: str, made: dict[str, tuple[list[Frames], list[float]]]) -> list[Figure]:
    pairs = list(zip(made["lossless"][0], made["fast"][0], strict=True))
    seconds = {profile: statistics.median(found) for profile, (_, found) in made.items()}
    figures = []
    for measure, unit, values in (
        ("PSNR", "dB", [_psnr_db(one, other) for one, other in pairs]),
        ("SSIM", "", [_ssim(one, other) for one, other in pairs]),
    ):
        figures.append(Figure(f"{name}: {measure} of fast against lossless, median", statistics.median(values), unit))
        figures.append(Figure(f"{name}: {measure} of fast against lossless, worst", min(values), unit))
    return [
        *figures,
        *(Figure(f"{name}: one, {profile}", seconds[profile], "s") for profile in _PROFILES),
        Figure(f"{name}: lossless ÷ fast", seconds["lossless"] / seconds["fast"], "times"),
    ]


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model of the imager, or of the video service, with a fast profile")
    parser.add_argument("--checkpoint", default="", help="folder or hub id, as LUMENMILL_CHECKPOINT")
    parser.add_argument("--revision", default="", help="commit of the hub id")
    parser.add_argument("--presets-file", type=Path, default=None, help="as LUMENMILL_PRESETS_FILE")
    parser.add_argument("--device", default="auto", help="as LUMENMILL_DEVICE")
    parser.add_argument("--compile", action="store_true", help="as LUMENMILL_COMPILE, for both")
    parser.add_argument("--fp8", action="store_true", help="as LUMENMILL_FP8, for fast")
    parser.add_argument("--preset", default="", help="of both; empty: the default of each")
    parser.add_argument("--prompts", type=Path, default=None, help="text file, a prompt on each line")
    parser.add_argument("--image", type=Path, default=None, help="first frame, for image-to-video models")
    parser.add_argument("--seeds", type=int, default=4, help="of each prompt")
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--height", type=int, default=0)
    parser.add_argument("--frames", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print."""
    given = _options()
    configure_logging(NeuralSettings(model=given.model), "profiles")
    known = {**read_catalogue("lumenmill_imager"), **read_catalogue("lumenmill_video")}
    entry = with_own_models(known, given.presets_file).get(given.model)
    if entry is None or entry.fast is None:
        sys.exit(f"{given.model} has no fast profile")
    sys.stderr.write(f"fast: {entry.fast.text}\n")
    made = {}
    for profile in _PROFILES:
        with tempfile.TemporaryDirectory(prefix="lumenmill-benchmark-") as folder:
            made[profile] = _made(given, profile, folder)
        gc.collect()  # frees the memory of the first model
    report(_figures(given.model, made), given.json)


if __name__ == "__main__":
    main()
