"""A process with little memory, in which torch's allocator really fails. Prints what happened as JSON."""

import json
import resource
from collections.abc import Sequence
from pathlib import Path

import torch

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.device import Device, find_device
from lumenmill_neural.memory import run_in_batches

_MIB = 1 << 20
_FREE_BYTES = 256 * _MIB


class Model:
    """Takes memory for each item; its smaller tier takes half as much."""

    def __init__(self, item_bytes: int) -> None:
        self.item_bytes = item_bytes
        self.batch_sizes: list[int] = []
        self.smaller_tiers: list[str] = []

    @property
    def device(self) -> Device:
        return find_device("cpu")

    def pause_overlapped(self) -> bool:
        return False

    def reset(self) -> None:
        pass

    def apply_smaller_tier(self) -> str:
        if self.smaller_tiers:
            return ""
        self.item_bytes //= 2
        self.smaller_tiers.append("half as much for each item")
        return self.smaller_tiers[-1]

    def run(self, batch: Sequence[int]) -> list[int]:
        self.batch_sizes.append(len(batch))
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
    limit = in_use_kib * 1024 + _FREE_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def main() -> None:
    torch.set_num_threads(1)
    fitting, halved, too_large = Model(_FREE_BYTES // 3), Model(_FREE_BYTES * 3 // 2), Model(_FREE_BYTES * 8)
    _limit_memory()
    report: dict[str, object] = {"results": fitting.all(), "batch_sizes": fitting.batch_sizes}
    halved.all()
    report["smaller_tiers"] = halved.smaller_tiers
    try:
        too_large.all()
    except ResourceExhaustedError as error:
        report["refused"] = error.message
    report["afterwards"] = Model(_FREE_BYTES // 3).all()
    print(json.dumps(report))  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
