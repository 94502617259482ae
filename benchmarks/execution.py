"""Steps per second and memory of the orchestrator over real gRPC, compared with raw DBOS running as many empty steps.

Both execute items of ten steps on SQLite. The orchestrator calls a model in a process of its own and stores results,
lineage and counts; DBOS runs a workflow for each item with ten empty steps. They alternate, each time in a new process.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, median_of, run_benchmark
from instant_model import instant_model

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

CALLS_PER_ITEM = 10
_PAGE_BYTES = 4096
_RAW_DBOS = Path(__file__).with_name("raw_dbos.py")


def _recipe() -> str:
    steps = [
        f"  call{number}: {{call: prompter.WriteMotionPrompts, model: tiny, with: {{"
        f'description: "${{item.image_prompt}} {_result(number - 1)}", num_variants: 1, seed: {number}}}}}'
        for number in range(CALLS_PER_ITEM)
    ]
    return "\n".join(
        [
            "lumenmill: 1",
            "name: execution",
            "parameters: {num_items: {type: int}}",
            "source:",
            "  call: prompter.GeneratePromptSets",
            "  model: tiny",
            "  count: ${params.num_items}",
            '  with: {seed: 1, brief: {num_img_sets: "${batch.count}", first_set_index: "${batch.first}"}}',
            "  items: ${result.prompt_sets}",
            "steps:",
            *steps,
            "samples:",
            f'  last: {{kind: image, media: {{}}, caption: "{_result(CALLS_PER_ITEM - 1)}"}}',
        ]
    )


def _result(number: int) -> str:
    return f"${{call{number}.motion_prompts[0].text}}" if number >= 0 else ""


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES / 2**20


async def _execute(settings: OrchestratorSettings, num_items: int) -> dict[str, float]:
    request = run_pb2.SubmitRunRequest(recipe=_recipe())
    request.parameters.update({"num_items": num_items})
    early_mb, most_mb = 0.0, 0.0
    async with (
        serving(settings, orchestrator_service(settings)) as port,
        connect(f"127.0.0.1:{port}", settings) as channel,
    ):
        runs = run_pb2_grpc.RunServiceStub(channel)
        started_s = time.perf_counter()
        run = (await runs.SubmitRun(request)).run
        num_steps = 0
        async for response in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run.id)):
            num_steps = sum(step.num_accepted for step in response.run.steps)
            most_mb = max(most_mb, _resident_mb())
            if num_steps <= 1000:
                early_mb = most_mb
        duration_s = time.perf_counter() - started_s
    if num_steps < num_items * CALLS_PER_ITEM:
        raise RuntimeError(f"only {num_steps} steps of {num_items} items were accepted")
    return {"steps_per_s": num_steps / duration_s, "early_mb": early_mb, "most_mb": most_mb}


def _execute_once(num_items: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="lumenmill-execution-") as name, instant_model(Path(name)) as address:
        settings = OrchestratorSettings(
            listen_address="127.0.0.1:0",
            drain_s=0.0,
            store_url=f"file://{name}/store",
            database_url=f"sqlite:///{name}/orchestrator.sqlite",
            models=f"{{tiny: '{address}'}}",
        )
        return asyncio.run(_execute(settings, num_items))


def _in_new_process(*command: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(quick: bool) -> list[Figure]:
    """Measure three turns of each, then one long run for memory."""
    num_turns, num_items, long_items = (1, 50, 100) if quick else (3, 300, 10_000)
    ours, raw = [], []
    for _ in range(num_turns):
        ours.append(_in_new_process(__file__, "--execute", str(num_items))["steps_per_s"])
        raw.append(_in_new_process(str(_RAW_DBOS), str(num_items), str(CALLS_PER_ITEM))["steps_per_s"])
    long = _in_new_process(__file__, "--execute", str(long_items))
    steps = f"{long_items * CALLS_PER_ITEM:,} steps"
    return [
        median_of("execution, SQLite", ours, "steps/s", at_least=500),
        median_of("raw DBOS, as many empty steps", raw, "steps/s"),
        median_of("execution against raw DBOS", [a / b for a, b in zip(ours, raw, strict=True)], "ratio", at_least=0.8),
        Figure(f"execution of {steps}", long["steps_per_s"], "steps/s", at_least=500),
        Figure("resident memory after 1,000 steps", long["early_mb"], "MiB", at_most=300),
        Figure(f"largest resident memory over {steps}", long["most_mb"], "MiB", at_most=300),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--execute"]:
        sys.stdout.write(json.dumps(_execute_once(int(sys.argv[2]))) + "\n")
    else:
        run_benchmark(__doc__, measure)
