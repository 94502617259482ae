"""What happens when memory is too small: with simulated errors, and with an allocator that really fails."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.device import Device, is_out_of_memory
from lumenmill_neural.memory import run_in_batches

from .conftest import Host, SimulatedModel

_CHILD = Path(__file__).with_name("small_memory.py")


@pytest.mark.parametrize(
    ("capacities", "batch_sizes"),
    [
        ([8], [4, 3]),
        ([2], [4, 2, 2, 2, 1]),
        ([0, 1], [4, 2, 1, 1, 1, 1, 1, 1, 1, 1]),
        ([0, 0, 0, 1], [4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_batches_are_halved_then_smaller_tiers_are_applied(capacities: list[int], batch_sizes: list[int]) -> None:
    model = SimulatedModel(*capacities)
    assert run_in_batches(range(7), 4, model.run, model, "a picture") == [0, 10, 20, 30, 40, 50, 60]
    assert model.batch_sizes == batch_sizes


def test_overlapped_work_is_waited_for_before_batches_are_halved() -> None:
    class Busy(SimulatedModel):
        def pause_overlapped(self) -> bool:
            was_busy, self.capacities = self.capacities == [0], [4]
            return was_busy

    model = Busy(0)
    assert run_in_batches(range(4), 4, model.run, model, "a picture") == [0, 10, 20, 30]
    assert model.batch_sizes == [4, 4]


def test_a_refusal_after_the_last_tier_says_what_would_fit() -> None:
    model = SimulatedModel(0, 0)
    with pytest.raises(ResourceExhaustedError, match=r"a picture of 64×64 does not fit .* ask for half") as refused:
        run_in_batches([1], 4, model.run, model, "a picture of 64×64")
    assert refused.value.retry_delay_s >= 60


def test_other_errors_pass_through() -> None:
    def fail(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_in_batches([1], 1, fail, SimulatedModel(1), "a picture")
    assert not is_out_of_memory(RuntimeError("a bug"))


@pytest.mark.parametrize(
    ("memory_gib", "placements"),
    [
        (80, ["model_offload", "sequential_offload"]),
        (40, ["model_offload", "sequential_offload"]),
        (24, ["sequential_offload"]),
        (8, []),
    ],
)
def test_tiers_that_take_no_less_memory_are_skipped(
    host_of: Callable[..., Any], memory_gib: int, placements: list[str]
) -> None:
    host = host_of()
    host._device = Device(torch.device("cuda"), "GPU", memory_gib)
    applied = []
    while text := host.apply_smaller_tier():
        applied.append(text.split(",")[0].removeprefix("placement "))
    assert applied == placements
    host.offload.restore_default_tier()
    assert host.tier is host.entry.tiers[host.entry.tier_for(memory_gib)]


def test_on_the_cpu_a_smaller_tier_only_tiles_the_vae(host: Host) -> None:
    plain = host.picture(num_inference_steps=1, width=256, height=256)
    assert host.apply_smaller_tier() == "placement resident, vae_tiling True"
    assert host.apply_smaller_tier() == ""
    tiled = host.picture(num_inference_steps=1, width=256, height=256)
    assert host.executed(host.plan("")).arguments["vae_tiling"] is True
    host.offload.restore_default_tier()
    assert (tiled != plain).any()
    assert (host.picture(num_inference_steps=1, width=256, height=256) == plain).all()


def test_an_allocator_that_really_fails_does_not_end_the_process() -> None:
    """The process has a memory limit of the operating system, like a container."""
    child = subprocess.run([sys.executable, _CHILD], capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    report = json.loads(child.stdout.splitlines()[-1])
    assert report["results"] == list(range(8))
    assert report["batch_sizes"][0] == 8 and min(report["batch_sizes"]) < 8
    assert report["smaller_tiers"] == ["half as much for each item"]
    assert "does not fit" in report["refused"]
    assert report["afterwards"] == list(range(8))
