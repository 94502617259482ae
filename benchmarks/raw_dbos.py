"""DBOS by itself: a workflow for each item, with empty steps. `raw_dbos.py ITEMS STEPS`."""

import asyncio
import json
import sys
import tempfile
import time

from dbos import DBOS, DBOSConfig, SetWorkflowID

from lumenmill_orchestrator.storage import engine_url, make_engine

_NUM_CONCURRENT = 64


@DBOS.step(name="step")
async def _step(number: int) -> str:
    return f"move {number}"


@DBOS.workflow(name="item")
async def _item(num_steps: int) -> None:
    for number in range(num_steps):
        await _step(number)


async def _steps_per_s(num_items: int, num_steps: int) -> float:
    DBOS.launch()
    slots = asyncio.Semaphore(_NUM_CONCURRENT)

    async def execute(index: int) -> None:
        async with slots:
            with SetWorkflowID(f"item-{index}"):
                handle = await DBOS.start_workflow_async(_item, num_steps)
            await handle.get_result()

    started_s = time.perf_counter()
    await asyncio.gather(*(execute(index) for index in range(num_items)))
    return num_items * num_steps / (time.perf_counter() - started_s)


def main() -> None:
    """Run DBOS with the journal and settings of the orchestrator's own database."""
    with tempfile.TemporaryDirectory(prefix="lumenmill-dbos-") as folder:
        url = engine_url(f"sqlite:///{folder}/dbos.sqlite")
        config: DBOSConfig = {
            "name": "raw",
            "system_database_url": url.render_as_string(hide_password=False),
            "system_database_engine": make_engine(url),
            "application_version": "1",
            "executor_id": "raw",
            "log_level": "ERROR",
            "use_listen_notify": False,
        }
        DBOS(config=config)
        steps_per_s = asyncio.run(_steps_per_s(int(sys.argv[1]), int(sys.argv[2])))
        DBOS.destroy()
    sys.stdout.write(json.dumps({"steps_per_s": steps_per_s}) + "\n")


if __name__ == "__main__":
    main()
