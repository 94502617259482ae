"""A long run in which calls fail at random and a random process is killed every few seconds; prints measurements.

`python -m tests.faults.soak --items 20000`. The exit code is 1 when a sample was lost or duplicated.
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

from .process_mesh import ORCHESTRATOR, ProcessMesh, process_mesh
from .recipe import LIGHTS, SAMPLES_PER_ITEM, num_calls

_RUN_ID = "soak"
_KILL_EVERY_S = 5.0
_FAILURE_RATE = 0.01
_TIMEOUT_S = 3600.0
_PAGE_BYTES = 4096


class _Observer:
    """Kills processes and measures the run from outside."""

    def __init__(self, mesh: ProcessMesh) -> None:
        self._mesh = mesh
        self.latencies_ms: list[float] = []
        self.memory_mib: list[float] = []
        self.kills: Counter[str] = Counter()
        self.ended = asyncio.Event()

    async def kill_regularly(self) -> None:
        """Kill a random process every few seconds and restart it."""
        generator = random.SystemRandom()
        while not self.ended.is_set():
            await self._pause(_KILL_EVERY_S)
            if self.ended.is_set():
                return
            process = generator.choice(list(self._mesh.processes.values()))
            await process.stop()
            self.kills[process.name] += 1
            process.start()
            await process.wait_until_serving()

    async def poll_regularly(self, num_items: int) -> None:
        """Read the run as a user would, until it has ended."""
        while not self.ended.is_set():
            await self._pause(0.25)
            started_s = time.perf_counter()
            try:
                run = await self._mesh.run(_RUN_ID)
            except (LumenmillError, grpc.RpcError):  # killed at this moment
                continue
            self.latencies_ms.append((time.perf_counter() - started_s) * 1e3)
            self.memory_mib.append(self._resident_mib())
            self._print_progress(run, num_items)
            if run.state not in (run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING):
                self.ended.set()

    def _print_progress(self, run: run_pb2.Run, num_items: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{run.num_items_done} of {num_items} items, {sum(self.kills.values())} kills ")

    def _resident_mib(self) -> float:
        process = self._mesh.processes[ORCHESTRATOR].process
        statm = Path(f"/proc/{process.pid}/statm") if process is not None else Path("/none")
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
    with process_mesh(folder, step_s=0.0, failure_rate=_FAILURE_RATE) as mesh:
        await mesh.start()
        observer = _Observer(mesh)
        await mesh.submit(_RUN_ID, LIGHTS, num_sets=num_items)
        started_s = time.perf_counter()
        async with asyncio.timeout(_TIMEOUT_S), asyncio.TaskGroup() as group:
            group.create_task(observer.kill_regularly())
            group.create_task(observer.poll_regularly(num_items))
        duration_s = time.perf_counter() - started_s
        run, samples = await mesh.run(_RUN_ID), await mesh.samples(_RUN_ID)
        calls, repeated = mesh.completed_calls(), mesh.repeated_calls()
    distinct = {sample.id for sample in samples if sample.verdict == run_pb2.VERDICT_ACCEPTED}
    return {
        "items": num_items,
        "completed": float(run.state == run_pb2.RUN_STATE_COMPLETED),
        "duration_s": duration_s,
        "steps_per_s": num_calls(num_items) / duration_s,
        "kills": sum(observer.kills.values()),
        "kills_of_the_orchestrator": observer.kills[ORCHESTRATOR],
        "retries": _num_retries(folder),
        "samples_expected": num_items * SAMPLES_PER_ITEM,
        "samples_accepted": len(distinct),
        "samples_duplicated": len(samples) - len({sample.id for sample in samples}),
        "calls": num_calls(num_items),
        "calls_repeated_after_a_kill": sum(len(each) - 1 for each in repeated.values()),
        "calls_missing": num_calls(num_items) - len({call.request_id for call in calls}),
        "memory_mib_median": statistics.median(observer.memory_mib),
        "memory_mib_max": max(observer.memory_mib),
        "get_run_ms_p50": statistics.median(observer.latencies_ms),
        "get_run_ms_p99": statistics.quantiles(observer.latencies_ms, n=100)[98],
    }


def main() -> None:
    """Run the soak, print JSON, and fail when a sample was lost or duplicated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    num_items = parser.parse_args().items
    with tempfile.TemporaryDirectory(prefix="lumenmill-soak-") as folder:
        found = asyncio.run(_soak(Path(folder), num_items))
    sys.stdout.write(json.dumps({name: round(value, 1) for name, value in found.items()}, indent=1) + "\n")
    is_complete = found["completed"] and found["samples_accepted"] == found["samples_expected"]
    sys.exit(not is_complete or bool(found["samples_duplicated"]) or bool(found["calls_missing"]))


if __name__ == "__main__":
    main()
