"""Metrics count what happened, and docs/metrics.md names exactly those that there are."""

import asyncio
import re
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from lumenmill.orchestrator.v1 import artifact_service_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_orchestrator import metrics

from .conftest import LocalMesh
from .recipes import ONE_IMAGE, SMALL

_DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
_OURS = "lumenmill_orchestrator_"


def test_the_document_names_every_metric_with_its_kind_and_labels() -> None:
    section = _DOCUMENT.read_text().partition("\n## Of the orchestrator\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section, re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    served: dict[str, tuple[str, tuple[str, ...]]] = {}
    for attribute in metrics.__all__:
        metric: Any = getattr(metrics, attribute)
        described = next(iter(metric.describe()))
        name = described.name + ("_total" if described.type == "counter" else "")
        served[name] = (described.type, tuple(metric._labelnames))
    assert documented == served
    asked = set(re.findall(rf"{_OURS}\w+", _DOCUMENT.read_text()))
    bases = {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked}
    assert bases <= set(served)


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{_OURS}{name}", labels) or 0.0


async def test_verdicts_reuse_and_failures_are_counted(mesh: LocalMesh) -> None:
    call = {"call": "imager.GenerateImages", "model": "tiny"}
    before = {
        "accepted": _value("steps_total", **call, verdict="accepted", reason=""),
        "failed": _value("steps_total", **call, verdict="failed", reason="INVALID_ARGUMENT"),
        "reused": _value("steps_reused_total", **call),
        "seconds": _value("step_duration_seconds_count", **call),
    }
    mesh.family.failures["image"] = [InvalidArgumentError("prompt", "no")]
    await mesh.run(ONE_IMAGE, {"tags": ["a", "b"]})
    await mesh.run(ONE_IMAGE, {"tags": ["a", "b"]})
    assert _value("steps_total", **call, verdict="failed", reason="INVALID_ARGUMENT") - before["failed"] == 1
    assert _value("steps_total", **call, verdict="accepted", reason="") - before["accepted"] == 3
    assert _value("steps_reused_total", **call) - before["reused"] == 1
    assert _value("step_duration_seconds_count", **call) - before["seconds"] == 2
    assert _value("calls_waiting", model="tiny") == 0


def _cost_s(**labels: str) -> float:
    return _value("sample_model_seconds_total", model="tiny", **labels)


async def test_all_model_seconds_are_costs_of_samples(mesh: LocalMesh) -> None:
    accepted, rejected = {"verdict": "accepted", "reason": ""}, {"verdict": "rejected", "reason": "direction_off"}
    mesh.family.step_s = 0.02
    before_s = {"accepted": _cost_s(**accepted), "rejected": _cost_s(**rejected), "worked": _worked_s()}
    mesh.family.direction_error_deg = 90.0  # of originals, whose captions are gated
    run = await mesh.run(SMALL, {"num_sets": 2})
    assert (run.num_samples_accepted, run.num_samples_rejected) == (4, 2)
    accepted_s, rejected_s = (
        _cost_s(**accepted) - before_s["accepted"],
        _cost_s(**rejected) - before_s["rejected"],
    )
    assert accepted_s > 0 and rejected_s > 0
    assert abs(accepted_s + rejected_s - (_worked_s() - before_s["worked"])) < 1e-6
    again_s = _cost_s(**rejected)
    await mesh.run(SMALL, {"num_sets": 2})
    assert _cost_s(**rejected) == again_s  # reused results cost nothing


def _worked_s() -> float:
    """Return the seconds of all steps except the source, whose results are those of a whole batch."""
    return sum(
        sample.value
        for family in REGISTRY.collect()
        if family.name == f"{_OURS}step_duration_seconds"
        for sample in family.samples
        if sample.name.endswith("_sum") and not sample.labels["call"].startswith("prompter.")
    )


async def test_metrics_of_a_run_exist_until_it_ends(mesh: LocalMesh) -> None:
    mesh.family.go_on.clear()
    run_id = await mesh.submit(ONE_IMAGE, {"tags": ["a", "b"]})
    labels = {"run": run_id, "recipe": "one-image"}
    async with asyncio.timeout(20):
        while REGISTRY.get_sample_value(f"{_OURS}run_progress_ratio", labels) is None:
            await asyncio.sleep(0.05)
    assert _value("run_progress_ratio", **labels) == 0.0
    mesh.family.go_on.set()
    await mesh.ended(run_id)
    async with asyncio.timeout(20):
        while REGISTRY.get_sample_value(f"{_OURS}run_progress_ratio", labels) is not None:
            await asyncio.sleep(0.05)


async def test_writes_statements_and_collections_are_counted(mesh: LocalMesh) -> None:
    before = {name: _value(name) for name in ("write_group_size_sum", "write_duration_seconds_count")}
    inserts = _value("database_duration_seconds_count", statement="insert")
    await mesh.run(ONE_IMAGE, {"tags": ["c"]})
    assert _value("write_group_size_sum") - before["write_group_size_sum"] >= 2  # a step and its item
    assert _value("write_duration_seconds_count") > before["write_duration_seconds_count"]
    assert _value("database_duration_seconds_count", statement="insert") > inserts
    assert _value("database_connections", state="idle") >= 1
    assert _value("database_bytes") > 4096
    examined, freed = _value("garbage_artifacts_total", what="examined"), _value("garbage_freed_bytes_total")
    mesh.store.put_bytes(b"unused", "application/json")
    async for _ in mesh.artifacts.CollectGarbage(artifact_service_pb2.CollectGarbageRequest(min_age_s=0)):
        pass
    assert _value("garbage_artifacts_total", what="examined") > examined
    assert _value("garbage_freed_bytes_total") - freed == len(b"unused")
    assert _value("garbage_collected_timestamp_seconds") > 0
