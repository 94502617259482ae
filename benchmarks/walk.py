"""Nodes per second and memory of the walk: ten instant calls in each chain, the model in a process of its own.

Run `python benchmarks/walk.py [CHAINS] [DATABASE_URL]`.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_common.calls import connect
from lumenmill_common.serve import serving
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings

_NUM_CALLS = 10
_TINY_MESH = Path(__file__).parents[1] / "orchestrator" / "tests" / "tiny_mesh.py"
_PAGE_BYTES = 4096


def _recipe() -> str:
    nodes = [
        f"  call{number}: {{call: prompter.WriteMotionPrompts, model: tiny, with: {{"
        f'description: "${{item.image_prompt}} {_result(number - 1)}", num_variants: 1, seed: {number}}}}}'
        for number in range(_NUM_CALLS)
    ]
    return "\n".join(
        [
            "lumenmill: 1",
            "name: walk",
            "parameters: {num_chains: {type: int}}",
            "source:",
            "  call: prompter.GeneratePromptSets",
            "  model: tiny",
            "  count: ${params.num_chains}",
            '  with: {seed: 1, brief: {num_img_sets: "${shard.count}", first_set_index: "${shard.first}"}}',
            "  items: ${result.prompt_sets}",
            "nodes:",
            *nodes,
            "samples:",
            f'  last: {{kind: image, media: {{}}, caption: "{_result(_NUM_CALLS - 1)}"}}',
        ]
    )


def _result(number: int) -> str:
    return f"${{call{number}.motion_prompts[0].text}}" if number >= 0 else ""


def _resident_mb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES >> 20


def _start_model(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    file = folder / "address.json"
    command = [sys.executable, str(_TINY_MESH), f"file://{folder}/store", str(file), str(folder / "made.txt"), "0"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - our own program
    while not file.exists():
        time.sleep(0.05)
    return process, str(json.loads(file.read_text())["grpc"])


async def _walk(settings: OrchestratorSettings, num_chains: int) -> None:
    request = run_pb2.SubmitRunRequest(recipe=_recipe())
    request.parameters.update({"num_chains": num_chains})
    async with (
        serving(settings, orchestrator_service(settings)) as port,
        connect(f"127.0.0.1:{port}", settings) as channel,
    ):
        runs = run_pb2_grpc.RunServiceStub(channel)
        started_s = time.monotonic()
        run = (await runs.SubmitRun(request)).run
        memory_mb = [_resident_mb()]
        async for response in runs.WatchRun(run_pb2.WatchRunRequest(run_id=run.id)):
            run = response.run
            memory_mb.append(_resident_mb())
        duration_s = time.monotonic() - started_s
    num_nodes = sum(node.num_accepted for node in run.nodes)
    sys.stdout.write(
        f"{num_nodes} nodes of {num_chains} chains in {duration_s:.1f} s: {num_nodes / duration_s:.0f} nodes/s; "
        f"memory {memory_mb[0]} MB at the start, {max(memory_mb)} MB at most\n"
    )


def main() -> None:
    """Walk once and tell."""
    num_chains = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory(prefix="lumenmill-walk-") as name:
        folder = Path(name)
        model, address = _start_model(folder)
        settings = OrchestratorSettings(
            listen_address="127.0.0.1:0",
            drain_s=0.0,
            store_url=f"file://{folder}/store",
            database_url=sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/orchestrator.sqlite",
            models=f"{{tiny: '{address}'}}",
        )
        try:
            asyncio.run(_walk(settings, num_chains))
        finally:
            model.kill()
            model.wait()


if __name__ == "__main__":
    main()
