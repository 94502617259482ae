"""A long run while calls fail at random and a random process is killed every few seconds; tells what it cost.

`python -m tests.faults.soak --items 20000`. Exits with 1 when a sample was lost or doubled.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import grpc
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import LumenmillError

from .fleet import ORCHESTRATOR, Fleet, fleet
from .recipe import LIGHTS, SAMPLES_PER_ITEM, num_calls

_RUN_ID = "soak"
_KILL_EVERY_S = 5.0
_FAILURE_RATE = 0.01
_LONGEST_S = 3600.0
_PAGE_BYTES = 4096


class _Watch:
    """What is seen of the run from outside while it goes on."""

    def __init__(self, mesh: Fleet) -> None:
        self._mesh = mesh
        self.latencies_ms: list[float] = []
        self.memory_mib: list[float] = []
        self.kills: Counter[str] = Counter()
        self.ended = asyncio.Event()

    async def kill_now_and_then(self) -> None:
        """Kills a random process every few seconds and starts it again."""
        dice = random.SystemRandom()
        while not self.ended.is_set():
            await self._pause(_KILL_EVERY_S)
            if self.ended.is_set():
                return
            part = dice.choice(list(self._mesh.parts.values()))
            await part.end()
            self.kills[part.name] += 1
            part.start()
            await part.up()

    async def ask_now_and_then(self, num_items: int) -> None:
        """Asks how the run gets on, as a user would, until it has ended."""
        while not self.ended.is_set():
            await self._pause(0.25)
            started_s = time.perf_counter()
            try:
                run = await self._mesh.run(_RUN_ID)
            except (LumenmillError, grpc.RpcError):  # killed at this moment
                continue
            self.latencies_ms.append((time.perf_counter() - started_s) * 1e3)
            self.memory_mib.append(self._resident_mib())
            self._tell(run, num_items)
            if run.state not in (run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING):
                self.ended.set()

    def _tell(self, run: run_pb2.Run, num_items: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{run.num_items_done} of {num_items} items, {sum(self.kills.values())} kills ")

    def _resident_mib(self) -> float:
        process = self._mesh.parts[ORCHESTRATOR].process
        statm = Path(f"/proc/{process.pid}/statm") if process is not None else Path("/nowhere")
        return int(statm.read_text().split()[1]) * _PAGE_BYTES / 2**20 if statm.exists() else 0.0

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.ended.wait(), seconds)
        except TimeoutError:
            return


def _num_retries(folder: Path) -> int:
    with sqlite3.connect(folder / "orchestrator.sqlite") as database:
        query = "SELECT SUM(num_attempts - 1) FROM executions WHERE num_attempts > 1"
        return int(database.execute(query).fetchone()[0] or 0)


async def _soak(folder: Path, num_items: int) -> dict[str, float]:
    with fleet(folder, step_s=0.0, failure_rate=_FAILURE_RATE) as mesh:
        await mesh.start()
        watch = _Watch(mesh)
        await mesh.submit(_RUN_ID, LIGHTS, num_sets=num_items)
        started_s = time.perf_counter()
        async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as group:
            group.create_task(watch.kill_now_and_then())
            group.create_task(watch.ask_now_and_then(num_items))
        duration_s = time.perf_counter() - started_s
        run, samples = await mesh.run(_RUN_ID), await mesh.samples(_RUN_ID)
        done, again = mesh.done(), mesh.done_more_than_once()
    distinct = {sample.id for sample in samples if sample.verdict == run_pb2.VERDICT_ACCEPTED}
    return {
        "items": num_items,
        "completed": float(run.state == run_pb2.RUN_STATE_COMPLETED),
        "duration_s": duration_s,
        "steps_per_s": num_calls(num_items) / duration_s,
        "kills": sum(watch.kills.values()),
        "kills_of_the_orchestrator": watch.kills[ORCHESTRATOR],
        "retries": _num_retries(folder),
        "samples_expected": num_items * SAMPLES_PER_ITEM,
        "samples_accepted": len(distinct),
        "samples_doubled": len(samples) - len({sample.id for sample in samples}),
        "calls": num_calls(num_items),
        "calls_made_again_after_a_kill": sum(len(lives) - 1 for lives in again.values()),
        "calls_never_made": num_calls(num_items) - len({one.request_id for one in done}),
        "memory_mib_median": statistics.median(watch.memory_mib),
        "memory_mib_most": max(watch.memory_mib),
        "get_run_ms_p50": statistics.median(watch.latencies_ms),
        "get_run_ms_p99": statistics.quantiles(watch.latencies_ms, n=100)[98],
    }


def main() -> None:
    """Soaks, prints JSON, and fails when anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    num_items = parser.parse_args().items
    with tempfile.TemporaryDirectory(prefix="lumenmill-soak-") as folder:
        found = asyncio.run(_soak(Path(folder), num_items))
    sys.stdout.write(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=1) + "\n")
    whole = found["completed"] and found["samples_accepted"] == found["samples_expected"]
    sys.exit(not whole or bool(found["samples_doubled"]) or bool(found["calls_never_made"]))


if __name__ == "__main__":
    main()
