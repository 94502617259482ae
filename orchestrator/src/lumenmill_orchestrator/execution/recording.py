"""Database rows and metrics of executions that have ended."""

import json
import time
from typing import Any

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution.keys import artifact_sha256s
from lumenmill_orchestrator.execution.outcomes import Outcome, reason_label
from lumenmill_orchestrator.execution.step_call import StepInstance
from lumenmill_orchestrator.execution.step_executor import Computation
from lumenmill_orchestrator.storage import CountDelta, Rows
from lumenmill_orchestrator.storage.schema import artifact_uses, computations, executions, model_revisions

__all__ = ["Parents", "computed_rows", "count_computed", "count_uncalled", "uncalled_rows", "verdict_name"]

_COUNTED_AS = {
    run_pb2.VERDICT_ACCEPTED: "num_accepted",
    run_pb2.VERDICT_REJECTED: "num_rejected",
    run_pb2.VERDICT_FAILED: "num_failed",
    run_pb2.VERDICT_SKIPPED: "num_skipped",
}
_VIDEO = "video/"

Parents = list[list[str | int]]
"""Lineage of an execution: [step, instance] of each execution whose result it uses."""


def verdict_name(verdict: "run_pb2.Verdict.ValueType") -> str:
    """Return `accepted`, `rejected`, `failed` or `skipped`."""
    return run_pb2.Verdict.Name(verdict).removeprefix("VERDICT_").lower()


def computed_rows(instance: StepInstance, made: Computation, outcome: Outcome, parents: Parents) -> Rows:
    """Return the rows of an execution that had a computation."""
    rows = Rows()
    if made.content_key and not made.reused:
        _add_computation(rows, instance, made)
    _add_execution(rows, instance, made.content_key, outcome, parents, made)
    return rows


def count_computed(instance: StepInstance, made: Computation, outcome: Outcome) -> None:
    """Add an execution that had a computation to the metrics, once its rows are durable."""
    call, model = instance.step.method.call, instance.step.model_name
    metrics.STEPS.labels(call, model, verdict_name(outcome.verdict), reason_label(outcome.reason)).inc()
    reused = metrics.STEPS_REUSED.labels(call, model)  # exists before the first, which is then an increase
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


def uncalled_rows(instance: StepInstance, outcome: Outcome, parents: Parents) -> Rows:
    """Return the rows of an execution without a call: skipped, or rejected by what it was given."""
    rows = Rows()
    _add_execution(rows, instance, "", outcome, parents, None)
    return rows


def count_uncalled(instance: StepInstance, outcome: Outcome) -> None:
    """Add an execution without a call to the metrics, once its rows are durable. That of the step which prevented a
    skipped one has the reason."""
    reason = "" if outcome.verdict == run_pb2.VERDICT_SKIPPED else reason_label(outcome.reason)
    verdict = verdict_name(outcome.verdict)
    metrics.STEPS.labels(instance.step.method.call, instance.step.model_name, verdict, reason).inc()


def _add_computation(rows: Rows, instance: StepInstance, made: Computation) -> None:
    values = {
        "content_key": made.content_key,
        "call": instance.step.method.call,
        "model": made.model_name,
        "revision": made.model.revision,
        "request": made.request.SerializeToString(deterministic=True),
        "result": None if made.result is None else made.result.SerializeToString(deterministic=True),
        "create_time": made.start_time,
        "duration_s": made.duration_s,
    }
    rows.results.append({column.name: values[column.name] for column in computations.c})
    outputs = [] if made.result is None else artifact_sha256s(made.result)
    for role, sha256s in (("in", artifact_sha256s(made.request)), ("out", outputs)):
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
    instance: StepInstance,
    content_key: str,
    outcome: Outcome,
    parents: Parents,
    made: Computation | None,
) -> None:
    reused = made is not None and made.reused
    duration_s = made.duration_s if made is not None else 0.0
    rows.add_guard(
        executions,
        run_id=instance.run.id,
        item_id=instance.item_id,
        step=instance.step.name,
        instance=instance.index,
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
    rows.counts.append(CountDelta(instance.run.id, instance.step_name, amounts))


def _top_artifacts(message: Any) -> list[artifact_pb2.Artifact]:
    """Return the artifacts in a result or in its direct parts, which are the ones that it made."""
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
