"""Rows for what has ended: executions with their computations, and counts."""

import json
import time
from typing import Any

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import CountDelta, Rows
from lumenmill_orchestrator.storage.schema import artifact_uses, computations, executions, model_revisions
from lumenmill_orchestrator.walk.execution import Computation
from lumenmill_orchestrator.walk.keys import artifact_sha256s
from lumenmill_orchestrator.walk.outcomes import Outcome

__all__ = ["Place", "record_computed", "record_skipped", "verdict_name"]

_COUNTED_AS = {
    run_pb2.VERDICT_ACCEPTED: "num_accepted",
    run_pb2.VERDICT_REJECTED: "num_rejected",
    run_pb2.VERDICT_FAILED: "num_failed",
    run_pb2.VERDICT_SKIPPED: "num_skipped",
}
_VIDEO = "video/"


class Place:
    """Where in a run something happened."""

    def __init__(self, run_id: str, item_id: str, step: Step, counted_as: str, instance: int) -> None:
        self.run_id, self.item_id, self.step, self.counted_as, self.instance = (
            run_id, item_id, step, counted_as, instance,
        )  # fmt: skip


def verdict_name(verdict: "run_pb2.Verdict.ValueType") -> str:
    """`accepted`, `rejected`, `failed` or `skipped`."""
    return run_pb2.Verdict.Name(verdict).removeprefix("VERDICT_").lower()


def record_computed(place: Place, made: Computation, outcome: Outcome, parents: list[list[str | int]]) -> Rows:
    """Rows of an execution that had a computation."""
    rows = Rows()
    if made.content_key and not made.reused:
        _add_computation(rows, place, made)
    _add_execution(rows, place, made.content_key, outcome, parents, made)
    _count_metrics(place, made, outcome)
    return rows


def record_skipped(place: Place, outcome: Outcome, parents: list[list[str | int]]) -> Rows:
    """Rows of an execution that was not tried."""
    rows = Rows()
    _add_execution(rows, place, "", outcome, parents, None)
    metrics.STEPS.labels(place.step.method.call, place.step.model, "skipped", "").inc()
    return rows


def _add_computation(rows: Rows, place: Place, made: Computation) -> None:
    bare = type(made.request)()
    bare.CopyFrom(made.request)
    bare.ClearField("job")
    rows.results.append(
        {
            "content_key": made.content_key,
            "call": place.step.method.call,
            "model": made.model_name,
            "revision": made.model.revision,
            "request": bare.SerializeToString(deterministic=True),
            "result": None if made.result is None else made.result.SerializeToString(deterministic=True),
            "create_time": made.start_time,
            "duration_s": made.duration_s,
        }
    )
    rows.results[-1] = {column.name: rows.results[-1][column.name] for column in computations.c}
    outputs = [] if made.result is None else artifact_sha256s(made.result)
    for role, sha256s in (("in", artifact_sha256s(bare)), ("out", outputs)):
        for sha256 in sha256s:
            rows.add(artifact_uses, sha256=sha256, owner=made.content_key, role=role)
    if made.result is not None:
        rows.add(
            model_revisions,
            name=made.model_name,
            revision=made.model.revision,
            family=made.model.family,
            model=made.model.SerializeToString(deterministic=True),
            create_time=made.start_time,
        )


def _add_execution(
    rows: Rows,
    place: Place,
    content_key: str,
    outcome: Outcome,
    parents: list[list[str | int]],
    made: Computation | None,
) -> None:
    reused = made is not None and made.reused
    duration_s = made.duration_s if made is not None else 0.0
    rows.add_guard(
        executions,
        run_id=place.run_id,
        item_id=place.item_id,
        step=place.step.name,
        instance=place.instance,
        content_key=content_key,
        verdict=outcome.verdict,
        reason=outcome.reason,
        reused=reused,
        parents=json.dumps(parents),
        start_time=made.start_time if made is not None else time.time(),
        duration_s=duration_s,
        num_attempts=made.num_attempts if made is not None else 0,
    )
    amounts: dict[str, float] = {_COUNTED_AS[outcome.verdict]: 1, "duration_s": duration_s}
    if reused:
        amounts["num_reused"] = 1
    rows.counts.append(CountDelta(place.run_id, place.counted_as, amounts))


def _count_metrics(place: Place, made: Computation, outcome: Outcome) -> None:
    call, model = place.step.method.call, place.step.model
    reason = made.error.code.name if made.error is not None else outcome.reason
    metrics.STEPS.labels(call, model, verdict_name(outcome.verdict), reason).inc()
    reused = metrics.STEPS_REUSED.labels(call, model)  # there before the first, so that it is seen as an increase
    if made.reused:
        reused.inc()
        return
    if made.result is None:
        return
    metrics.STEP_DURATION.labels(call, model).observe(made.duration_s)
    artifacts = _top_artifacts(made.result)
    metrics.ARTIFACT_BYTES.labels(call, model).inc(sum(artifact.size_bytes for artifact in artifacts))
    if any(artifact.media_type.startswith(_VIDEO) for artifact in artifacts) and call.startswith("video.Generate"):
        clip: Any = made.result
        metrics.CLIP_DURATION.labels(model, clip.record.preset).observe(made.duration_s)


def _top_artifacts(message: Any) -> list[artifact_pb2.Artifact]:
    """Artifacts that a result holds directly or in its direct parts, which are the ones that it made."""
    found: list[artifact_pb2.Artifact] = []
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for element in value if field.is_repeated else [value]:
            if isinstance(element, artifact_pb2.Artifact):
                found.append(element)
            elif field.is_repeated:
                found += [part for _, part in element.ListFields() if isinstance(part, artifact_pb2.Artifact)]
    return found
