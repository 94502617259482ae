"""The local mesh of the command, while its processes are killed."""

import asyncio
import json
import os
import signal
from pathlib import Path

from mesh_command import Command

from lumenmill_common.testing import eventually


def test_no_sample_is_lost_or_duplicated_when_the_orchestrator_is_killed(lumenmill: Command, home: Path) -> None:
    arguments = ["recipes/light-groups.yaml", "--set", "num_img_sets=2", "--set", "num_relight_variants=1"]
    settings = ["--set", "preset=fast", "--set", "seed=77"]
    submitted = lumenmill("run", *arguments, *settings, "--detach", "--json")
    assert submitted.returncode == 0, submitted.stderr
    run = json.loads(submitted.stdout)["id"]
    asyncio.run(eventually(lambda: has_results(lumenmill, run), timeout_s=60))
    os.kill(orchestrator_pid(home), signal.SIGKILL)
    finished = lumenmill("watch", run, "--json")
    assert finished.returncode == 0, finished.stderr
    samples = json.loads(lumenmill("samples", run, "--limit", "1000", "--json").stdout)
    assert len({sample["id"] for sample in samples}) == len(samples)
    keys = [(sample["group_id"], sample["media"]["image"]["sha256"]) for sample in samples]
    assert len(set(keys)) == len(keys)
    assert len({group for group, _ in keys}) == 2
    state = json.loads(lumenmill("status", "--json").stdout)
    assert next(service for service in state["services"] if service["name"] == "orchestrator")["num_restarts"] == 1


def has_results(lumenmill: Command, run: str) -> bool:
    """Whether a run has first results."""
    runs = json.loads(lumenmill("runs", "--json").stdout)
    steps = next(each for each in runs if each["id"] == run).get("steps", [])
    return any(int(step.get("num_accepted", 0)) for step in steps)


def orchestrator_pid(home: Path) -> int:
    services = json.loads((home / "run" / "mesh.json").read_text())["services"]
    return next(service["pid"] for service in services if service["name"] == "orchestrator")
