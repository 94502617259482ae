"""A process with little memory, in which torch's allocator really fails. Prints what it lived through as JSON."""

import json
import resource
from collections.abc import Sequence
from pathlib import Path

import torch
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.device import Device, find_device
from lumenmill_neural.memory import run_in_batches

_MIB = 1 << 20
_ROOM_BYTES = 256 * _MIB


class Hungry:
    """Takes memory for each item; can be placed so that it takes half."""

    def __init__(self, item_bytes: int) -> None:
        self.item_bytes = item_bytes
        self.tried: list[int] = []
        self.placed_smaller: list[str] = []

    @property
    def device(self) -> Device:
        return find_device("cpu")

    def be_alone(self) -> bool:
        return False

    def recover(self) -> None:
        pass

    def place_smaller(self) -> str:
        if self.placed_smaller:
            return ""
        self.item_bytes //= 2
        self.placed_smaller.append("half as much for each item")
        return self.placed_smaller[-1]

    def run(self, batch: Sequence[int]) -> list[int]:
        self.tried.append(len(batch))
        held = torch.zeros(len(batch), self.item_bytes // 4)
        for row, item in zip(held, batch, strict=True):
            row.fill_(item)
        return [int(row[-1]) for row in held]

    def all(self) -> list[int]:
        return run_in_batches(range(8), 8, self.run, self, "an item")


def _limit_memory() -> None:
    in_use_kib = next(
        int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
    )
    limit = in_use_kib * 1024 + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def main() -> None:
    torch.set_num_threads(1)
    modest, halved, greedy = Hungry(_ROOM_BYTES // 3), Hungry(_ROOM_BYTES * 3 // 2), Hungry(_ROOM_BYTES * 8)
    _limit_memory()
    told: dict[str, object] = {"results": modest.all(), "tried": modest.tried}
    halved.all()
    told["placed_smaller"] = halved.placed_smaller
    try:
        greedy.all()
    except ResourceExhaustedError as error:
        told["refused"] = error.message
    told["afterwards"] = Hungry(_ROOM_BYTES // 3).all()
    print(json.dumps(told))  # noqa: T201 - it is what the test reads


if __name__ == "__main__":
    main()
