"""Make `state.zip` again with the present code: `python -m orchestrator.tests.first_release.make_state`.

Runs a tiny model and an orchestrator as processes in a folder whose path has 160 characters, completes and exports run
`first`, and kills the orchestrator in the middle of run `unfinished`.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.settings import SecuritySettings
from orchestrator.tests.recipes import SMALL

_STATE = Path(__file__).with_name("state.zip")
_TINY = Path(__file__).parents[1] / "tiny_mesh.py"
_FOLDER = Path("/tmp/" + "f" * 155)  # noqa: S108 - test_upgrade.py replaces this path
_DATABASES = ("orchestrator.sqlite", "orchestrator.sqlite.dbos")
_NUM_ITEMS_DONE = 3
_STEP_S = 0.1


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=os.environ | (environment or {}))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _address(file: Path) -> str:
    give_up_s = time.monotonic() + 60
    while not file.exists():
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"{file.name} was not written")
        time.sleep(0.02)
    return str(json.loads(file.read_text())["grpc"])


@contextlib.contextmanager
def _orchestrator(model_address: str, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "LUMENMILL_LISTEN_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_METRICS_ADDRESS": "",
        "LUMENMILL_ADDRESS_FILE": str(file),
        "LUMENMILL_STORE_URL": f"file://{_FOLDER}/store",
        "LUMENMILL_DATABASE_URL": f"sqlite:///{_FOLDER}/orchestrator.sqlite",
        "LUMENMILL_MODELS": f"{{tiny: '{model_address}'}}",
    }
    with _process([sys.executable, "-m", "lumenmill_orchestrator"], environment) as process:
        yield process


def _submission(run_id: str, num_sets: int) -> run_pb2.SubmitRunRequest:
    request = run_pb2.SubmitRunRequest(recipe=SMALL, run_id=run_id)
    request.parameters.update({"num_sets": num_sets})
    return request


async def _complete_and_export_first(runs: Any) -> None:
    await runs.SubmitRun(_submission("first", num_sets=2))
    async for _ in runs.WatchRun(run_pb2.WatchRunRequest(run_id="first")):
        pass
    async for _ in runs.ExportRun(run_pb2.ExportRunRequest(run_id="first", format=run_pb2.EXPORT_FORMAT_PARQUET)):
        pass


async def _begin_unfinished(runs: Any) -> None:
    await runs.SubmitRun(_submission("unfinished", num_sets=8))
    async with asyncio.timeout(60):
        while (await runs.GetRun(run_pb2.GetRunRequest(run_id="unfinished"))).run.num_items_done < _NUM_ITEMS_DONE:
            await asyncio.sleep(0.01)


async def _make() -> None:
    files = [str(_FOLDER / name) for name in ("tiny.json", "made.txt")]
    with _process([sys.executable, str(_TINY), f"file://{_FOLDER}/store", *files, str(_STEP_S)]):
        model_address, file = await asyncio.to_thread(_address, Path(files[0])), _FOLDER / "orchestrator.json"
        with _orchestrator(model_address, file):  # is killed at the end of the block
            async with connect(await asyncio.to_thread(_address, file), SecuritySettings()) as channel:
                runs = run_pb2_grpc.RunServiceStub(channel)
                await _complete_and_export_first(runs)
                await _begin_unfinished(runs)


def _write_state() -> None:
    with zipfile.ZipFile(_STATE, "w", zipfile.ZIP_DEFLATED) as state:
        for name in _DATABASES:
            with contextlib.closing(sqlite3.connect(_FOLDER / name)) as database:
                state.writestr(f"{name}.sql", "\n".join(database.iterdump()) + "\n")
        for file in sorted((_FOLDER / "store").rglob("*")):
            if file.is_file() and "incoming" not in file.parts:
                state.write(file, file.relative_to(_FOLDER))


def main() -> None:
    """Make the state in a new folder, and remove the folder."""
    _FOLDER.mkdir()
    try:
        asyncio.run(_make())
        _write_state()
    finally:
        shutil.rmtree(_FOLDER)


if __name__ == "__main__":
    main()
