"""Durations of clips are observed, and a real Prometheus answers the query that docs/metrics.md gives for them."""

import asyncio
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from prometheus_client import REGISTRY
from ruamel.yaml import YAML

from lumenmill.common.v1 import generation_pb2
from lumenmill_common.artifacts import open_store
from lumenmill_common.jobs import JobContext
from lumenmill_common.telemetry import serve_metrics
from monitoring.prometheus import Prometheus, Series, running_prometheus

from .conftest import LocalMesh, open_mesh
from .tiny_mesh import TinyFamily

_PROMETHEUS = shutil.which("prometheus")
_DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
_CLIP = "lumenmill_orchestrator_clip_duration_seconds"
_LABELS = {"model": "wan2.1", "preset": "quality"}
_CLIP_S, _SCRAPE_INTERVAL = 0.3, "1s"
_ANSWER_S = 60.0
_CLIPS = """\
lumenmill: 1
name: clips
parameters:
  words: {type: "list[string]"}
source: {items: "${params.words}"}
steps:
  clip:
    call: video.GenerateVideo
    model: wan2.1
    with: {prompt: "${item}", preset: quality}
samples:
  clip:
    kind: clip
    media: {video: "${clip.video}"}
"""


class _Wan(TinyFamily):
    """Reports that it starts, as models do, and the preset of each clip."""

    def _run(self, call: str, request: Any, make: Callable[[Any], Message], job: JobContext) -> Message:
        job.progress("denoise", 1, 2)
        return super()._run(call, request, make, job)

    def record(self, request: Any) -> generation_pb2.GenerationRecord:
        record = super().record(request)
        record.preset = request.preset
        return record


async def test_the_seconds_of_computed_clips_are_observed_by_model_and_preset(tmp_path: Path) -> None:
    before, before_s = _observed("count"), _observed("sum")
    async with _opened(tmp_path) as mesh:
        await mesh.run(_CLIPS, {"words": ["a kettle", "a spoon"]})
        await mesh.run(_CLIPS, {"words": ["a kettle"]})  # known, and not computed again
    assert _observed("count") - before == 2
    assert 2 * _CLIP_S <= _observed("sum") - before_s < 2 * _CLIP_S + 5


@pytest.mark.skipif(_PROMETHEUS is None, reason="prometheus is not on the path (Debian: package prometheus)")
async def test_prometheus_answers_the_documented_query(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, f"127.0.0.1:{serve_metrics('127.0.0.1:0')}")
    with running_prometheus(str(_PROMETHEUS), configuration, tmp_path / "prometheus.log") as prometheus:
        async with _opened(tmp_path) as mesh:
            await mesh.run(_CLIPS, {"words": ["the first, with which the series begins"]})
            await _until_scraped(prometheus)
            await mesh.run(_CLIPS, {"words": ["a kettle", "a spoon"]})
            await _until_scraped(prometheus)
        (answer,) = _answer(prometheus, _documented_query())
    assert answer.labels == {"preset": "quality"}
    ((_, minutes),) = answer.points
    assert 0.5 * _CLIP_S < 60 * minutes < _CLIP_S + 5  # rates are extrapolated, that of seconds and that of clips alike


def _opened(folder: Path) -> AbstractAsyncContextManager[LocalMesh]:
    family = _Wan(open_store(f"file://{folder}/store"), step_s=_CLIP_S)
    return open_mesh(folder, family=family, model_name="wan2.1")


def _observed(part: str) -> float:
    return REGISTRY.get_sample_value(f"{_CLIP}_{part}", _LABELS) or 0.0


def _documented_query() -> str:
    found = re.search(r"\nMinutes per clip.*?```promql\n(.+?)\n```", _DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def _configuration(folder: Path, target: str) -> Path:
    path = folder / "prometheus.yml"
    scraped = {"job_name": "lumenmill", "static_configs": [{"targets": [target]}]}
    with path.open("w") as file:
        YAML().dump({"global": {"scrape_interval": _SCRAPE_INTERVAL}, "scrape_configs": [scraped]}, file)
    return path


def _answer(prometheus: Prometheus, expr: str) -> list[Series]:
    """Return the present value of a query."""
    now_s = time.time()
    return prometheus.query_range(expr, now_s, now_s, 1.0)


async def _until_scraped(prometheus: Prometheus) -> None:
    """Wait until Prometheus has the clips that were observed."""
    async with asyncio.timeout(_ANSWER_S):
        while [series.points[-1][1] for series in _answer(prometheus, f'sum({_CLIP}_count{{model="wan2.1"}})')] != [
            _observed("count")
        ]:
            await asyncio.sleep(0.1)
