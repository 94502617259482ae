"""docs/metrics.md lists exactly the metrics that neural services add, and work on a device is counted."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural import metrics
from lumenmill_neural.device import find_device
from lumenmill_neural.memory import run_in_batches

from .conftest import SimulatedModel

_DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"lumenmill_{name}", labels) or 0.0


def test_the_document_lists_every_metric_of_neural_services() -> None:
    section = _DOCUMENT.read_text().partition("\n## Of neural services\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section, re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    served: dict[str, tuple[str, tuple[str, ...]]] = {}
    for name in metrics.__all__:
        metric: Any = getattr(metrics, name)
        if hasattr(metric, "describe"):
            described = next(iter(metric.describe()))
            ending = "_total" if described.type == "counter" else ""
            served[described.name + ending] = (described.type, tuple(getattr(metric, "_labelnames", ())))
    assert documented == served


def test_every_action_on_out_of_memory_and_every_second_of_work_is_counted() -> None:
    before = {action: _value("out_of_memory_total", action=action) for action in ("smaller_batch", "refused")}
    busy_s = _value("device_busy_seconds_total")
    model = SimulatedModel(0, 0)

    def run(batch: Sequence[int]) -> list[int]:
        time.sleep(0.05)
        return model.run(batch)

    with pytest.raises(ResourceExhaustedError):
        run_in_batches(range(4), 4, run, model, "an item")
    assert model.batch_sizes == [4, 2, 1, 1]
    assert _value("out_of_memory_total", action="smaller_batch") == before["smaller_batch"] + 2
    assert _value("out_of_memory_total", action="refused") == before["refused"] + 1
    assert _value("device_busy_seconds_total") - busy_s > 0.1


def test_work_that_is_still_running_counts_as_busy() -> None:
    before_s = _value("device_busy_seconds_total")
    with metrics.DEVICE_BUSY.running(), metrics.DEVICE_BUSY.running():
        time.sleep(0.05)
        assert 0.04 < _value("device_busy_seconds_total") - before_s < 0.5


def test_a_model_on_the_cpu_has_no_gpu() -> None:
    metrics.report_device(find_device("cpu"))
    assert _value("model_gpus") == 0
    assert _value("device_memory_bytes") > 1 << 30
