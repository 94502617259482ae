"""What happens when memory is too small: decided in plain, and with an allocator that really fails."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.device import Device, find_device, is_out_of_memory
from lumenmill_neural.memory import run_in_batches

from .conftest import Host

_CHILD = Path(__file__).with_name("small_memory.py")


class _Placed:
    """Room for `rooms[step]` items at once, where each step is one smaller placement."""

    def __init__(self, *rooms: int) -> None:
        self.rooms = list(rooms)
        self.tried: list[int] = []

    @property
    def device(self) -> Device:
        return find_device("cpu")

    def be_alone(self) -> bool:
        return False

    def recover(self) -> None:
        pass

    def place_smaller(self) -> str:
        self.rooms.pop(0)
        return "smaller" if self.rooms else ""

    def run(self, batch: Sequence[int]) -> list[int]:
        self.tried.append(len(batch))
        if len(batch) > self.rooms[0]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [item * 10 for item in batch]


@pytest.mark.parametrize(
    ("rooms", "tried"),
    [
        ([8], [4, 3]),
        ([2], [4, 2, 2, 2, 1]),
        ([0, 1], [4, 2, 1, 1, 1, 1, 1, 1, 1, 1]),
        ([0, 0, 0, 1], [4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_batches_are_halved_then_weights_placed_smaller(rooms: list[int], tried: list[int]) -> None:
    placed = _Placed(*rooms)
    assert run_in_batches(range(7), 4, placed.run, placed, "a picture") == [0, 10, 20, 30, 40, 50, 60]
    assert placed.tried == tried


def test_what_is_done_beside_is_waited_for_before_anything_smaller_is_tried() -> None:
    class Busy(_Placed):
        def be_alone(self) -> bool:
            was_busy, self.rooms = self.rooms == [0], [4]
            return was_busy

    placed = Busy(0)
    assert run_in_batches(range(4), 4, placed.run, placed, "a picture") == [0, 10, 20, 30]
    assert placed.tried == [4, 4]


def test_at_the_end_of_the_ladder_the_refusal_says_what_would_fit() -> None:
    placed = _Placed(0, 0)
    with pytest.raises(ResourceExhaustedError, match=r"a picture of 64×64 does not fit .* ask for half") as refused:
        run_in_batches([1], 4, placed.run, placed, "a picture of 64×64")
    assert refused.value.retry_delay_s >= 60


def test_other_errors_pass_through() -> None:
    def fail(batch: Sequence[int]) -> list[int]:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run_in_batches([1], 1, fail, _Placed(1), "a picture")
    assert not is_out_of_memory(RuntimeError("a bug"))


@pytest.mark.parametrize(
    ("memory_gib", "steps"),
    [
        (80, ["model_offload", "sequential_offload"]),
        (40, ["model_offload", "sequential_offload"]),
        (24, ["sequential_offload"]),
        (8, []),
    ],
)
def test_tiers_that_place_nothing_elsewhere_are_passed_over(
    host_of: Callable[..., Any], memory_gib: int, steps: list[str]
) -> None:
    host = host_of()
    host._device = Device(torch.device("cuda"), "GPU", memory_gib)
    done = []
    while text := host.place_smaller():
        done.append(text.split(",")[0].removeprefix("placement "))
    assert done == steps
    host.placing.place_as_usual()
    assert host.tier is host.entry.tiers[host.entry.tier_for(memory_gib)]


def test_on_the_cpu_tiles_of_the_vae_are_what_is_left(host: Host) -> None:
    plain = host.picture(num_inference_steps=1, width=256, height=256)
    assert host.place_smaller() == "placement resident, vae_tiling True"
    assert host.place_smaller() == ""
    tiled = host.picture(num_inference_steps=1, width=256, height=256)
    assert host.as_run(host.plan("")).arguments["vae_tiling"] is True
    host.placing.place_as_usual()
    assert (tiled != plain).any()
    assert (host.picture(num_inference_steps=1, width=256, height=256) == plain).all()


def test_an_allocator_that_really_fails_is_survived() -> None:
    """In a process whose memory is limited by the system, as a container's is."""
    child = subprocess.run([sys.executable, _CHILD], capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    told = json.loads(child.stdout.splitlines()[-1])
    assert told["results"] == list(range(8))
    assert told["tried"][0] == 8 and min(told["tried"]) < 8
    assert told["placed_smaller"] == ["half as much for each item"]
    assert "does not fit" in told["refused"]
    assert told["afterwards"] == list(range(8))
