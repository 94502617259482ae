"""The benchmarks for GPUs run at a tiny size, so that errors are found before their first run on a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lumenmill_neural.testing import tiny_flux

from .small_models import ROOT, module_at

pytestmark = pytest.mark.timeout(300)


def _figures(script: str, *arguments: str) -> dict[str, float]:
    """Return the figures that a benchmark prints, by name."""
    command = [sys.executable, ROOT / "benchmarks" / script, *arguments, "--json"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # faster, at this size
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT, env=one_thread)
    assert done.returncode == 0, done.stderr[-2000:]
    return {figure["name"]: figure["value"] for figure in json.loads(done.stdout)}


@pytest.mark.parametrize(
    ("script", "arguments", "served"),
    [
        ("neural_services.py", ["--quick"], ["FLUX.1-dev, 64², 28 steps", "Wan2.1, 64², 5 frames, 4 steps"]),
        ("image_gpu.py", ["--tiny"], ["FLUX.1-dev, 64², 28 steps", "SDXL, 64², 40 steps"]),
        ("video_gpu.py", ["--tiny", "--only", "t2v 480p"], ["wan-14b-t2v 480p, 4 steps"]),
    ],
)
def test_the_overhead_of_a_service_is_measured(script: str, arguments: list[str], served: list[str]) -> None:
    figures = _figures(script, *arguments)
    for name in served:
        assert figures[f"{name}: the pipeline's call by itself"] > 0
        assert figures[f"{name}: what the service adds to it"] > -100
        assert 0 <= figures[f"{name}: device idle between queued jobs"] < 100


def _flux(folder: Path) -> Path:
    tiny_flux(num_blocks=2).save_pretrained(folder)
    return folder


def _wan(folder: Path) -> Path:
    module_at(ROOT / "services" / "video" / "tests" / "tiny.py").save_wan_t2v(folder)
    return folder


@pytest.mark.parametrize(
    ("model", "save", "size"),
    [
        ("FLUX.1-dev", _flux, ["--width", "64", "--height", "64"]),
        ("Wan2.1-T2V-14B", _wan, ["--width", "64", "--height", "32", "--frames", "5"]),
    ],
)
def test_fast_is_compared_with_lossless(model: str, save: object, size: list[str], tmp_path: Path) -> None:
    assert callable(save)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a lemon\na bowl\n")
    figures = _figures(
        "profiles.py", model, "--checkpoint", str(save(tmp_path / "weights")), "--device", "cpu", *size,
        "--steps", "12", "--seeds", "1", "--prompts", str(prompts),
    )  # fmt: skip
    median_db, worst_db = (figures[f"{model}: PSNR of fast against lossless, {which}"] for which in ("median", "worst"))
    assert 0 < worst_db <= median_db <= 100
    assert 0 < figures[f"{model}: SSIM of fast against lossless, worst"] <= 1
    assert figures[f"{model}: one, fast"] > 0 and figures[f"{model}: lossless ÷ fast"] > 0
