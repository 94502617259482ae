"""Metrics count what happened, and docs/metrics.md names exactly those that there are."""

import re
from pathlib import Path
from typing import Any

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_orchestrator import metrics
from prometheus_client import REGISTRY

from .conftest import House
from .recipes import ONE_IMAGE

_DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
_OURS = "lumenmill_orchestrator_"


def test_the_document_names_every_metric_with_its_kind_and_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|", _DOCUMENT.read_text(), re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    served: dict[str, tuple[str, tuple[str, ...]]] = {}
    for attribute in metrics.__all__:
        metric: Any = getattr(metrics, attribute)
        described = next(iter(metric.describe()))
        name = described.name + ("_total" if described.type == "counter" else "")
        served[name] = (described.type, tuple(metric._labelnames))
    assert told == served
    asked = set(re.findall(rf"{_OURS}\w+", _DOCUMENT.read_text()))
    bases = {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked}
    assert bases <= set(served)


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{_OURS}{name}", labels) or 0.0


async def test_verdicts_reuse_and_failures_are_counted(house: House) -> None:
    call = {"call": "imager.GenerateImages", "model": "tiny"}
    before = {
        "accepted": _value("nodes_total", **call, verdict="accepted", reason=""),
        "failed": _value("nodes_total", **call, verdict="failed", reason="INVALID_ARGUMENT"),
        "reused": _value("nodes_reused_total", **call),
        "seconds": _value("node_duration_seconds_count", **call),
    }
    house.family.failures["image"] = [InvalidArgumentError("prompt", "no")]
    await house.run(ONE_IMAGE, {"tags": ["a", "b"]})
    await house.run(ONE_IMAGE, {"tags": ["a", "b"]})
    assert _value("nodes_total", **call, verdict="failed", reason="INVALID_ARGUMENT") - before["failed"] == 1
    assert _value("nodes_total", **call, verdict="accepted", reason="") - before["accepted"] == 3
    assert _value("nodes_reused_total", **call) - before["reused"] == 1
    assert _value("node_duration_seconds_count", **call) - before["seconds"] == 2
    assert _value("calls_waiting", model="tiny") == 0
