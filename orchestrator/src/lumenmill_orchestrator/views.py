"""Runs and lineages as messages of the contract."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.contracts import heavy_methods
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.keys import artifact_sha256s
from lumenmill_orchestrator.execution.samples import SAMPLES_COUNTED_AS
from lumenmill_orchestrator.execution.sources import source_item_id
from lumenmill_orchestrator.execution.workflows import ITEMS_COUNTED_AS
from lumenmill_orchestrator.mesh import Wait
from lumenmill_orchestrator.storage import (
    ComputationRow,
    ExecutionRow,
    ExecutionStore,
    RunRow,
    RunStore,
    StepTotals,
    StoredSample,
)

__all__ = ["lineage_view", "run_view"]


def run_view(
    row: RunRow, runs: RunStore, active: ActiveRun | None, workers: Mapping[str, int], waits: Sequence[Wait]
) -> run_pb2.Run:
    """Return a run with its present counts, and the models that it waits for."""
    totals = runs.totals(row.id)
    items, samples = totals.get(ITEMS_COUNTED_AS, StepTotals()), totals.get(SAMPLES_COUNTED_AS, StepTotals())
    run = run_pb2.Run(
        id=row.id,
        recipe_name=row.recipe_name,
        state=row.state,
        create_time=_timestamp(row.create_time),
        start_time=_timestamp(row.start_time),
        end_time=_timestamp(row.end_time),
        num_items=row.num_items,
        num_items_done=items.num_ended,
        num_items_failed=items.num_failed,
        item_error=runs.item_error(row.id) if items.num_failed else "",
        num_samples_accepted=samples.num_accepted,
        num_samples_rejected=samples.num_rejected,
        error=row.error,
        priority=row.priority,
        submitter=row.submitter,
    )
    run.parameters.update(json.loads(row.parameters))
    for name, call, model, num_planned in json.loads(row.planned_steps):
        counts = _step_counts(row, active, name, totals.get(name, StepTotals()), num_planned)
        counts.call, counts.model = call, model
        run.steps.append(counts)
    for wait in waits:
        run.waits.add(model=wait.model, since_time=_timestamp(wait.since_time), reason=wait.reason)
    remaining_s = None if row.ended else _remaining_s(run, totals, workers)
    if remaining_s is not None:
        run.estimated_remaining.FromMilliseconds(int(remaining_s * 1000))
    return run


def _step_counts(
    row: RunRow, active: ActiveRun | None, name: str, totals: StepTotals, num_planned: int
) -> run_pb2.StepCounts:
    num_running = active.num_running[name] if active is not None else 0
    counts = run_pb2.StepCounts(
        name=name,
        num_total=max(num_planned, totals.num_ended + num_running),
        num_running=num_running,
        num_accepted=totals.num_accepted,
        num_rejected=totals.num_rejected,
        num_failed=totals.num_failed,
        num_skipped=totals.num_skipped,
        num_reused=totals.num_reused,
        duration_s=totals.duration_s,
    )
    progress = active.progress.get(name) if active is not None else None
    if progress is not None:
        counts.progress.CopyFrom(progress)
    return counts


def _remaining_s(run: run_pb2.Run, totals: dict[str, StepTotals], workers: Mapping[str, int]) -> float | None:
    """Return the seconds until the slowest model has finished, by the means of this run; None while a step has not been
    measured."""
    load_s: dict[str, float] = {}
    for step in run.steps:
        counts = totals.get(step.name, StepTotals())
        num_left = step.num_total - counts.num_ended
        if num_left <= 0:
            continue
        if not counts.num_computed and not counts.num_reused:
            return None
        mean_s = counts.duration_s / counts.num_computed if counts.num_computed else 0.0
        load_s[step.model] = load_s.get(step.model, 0.0) + mean_s * num_left
    return max((load / max(workers.get(model, 1), 1) for model, load in load_s.items()), default=0.0)


def lineage_view(stored: StoredSample, executions: ExecutionStore) -> run_pb2.GetLineageResponse:
    """Return a sample with every execution that led to it, earliest first."""
    sample = stored.sample
    rows = {(row.step, row.instance): row for row in executions.of_item(sample.run_id, sample.item_id)}
    lineage: dict[tuple[str, int], ExecutionRow] = {}
    pending = [(str(step), int(index)) for step, index in json.loads(stored.parents)]
    pipeline = sample.item_id.rpartition("-")[0]
    while pending:
        instance = pending.pop()
        if instance in lineage:
            continue
        row = rows.get(instance)
        if row is None and instance[0] == "source":
            row = executions.one(sample.run_id, source_item_id(pipeline), *instance)
        if row is not None:
            lineage[instance] = row
            pending += [(str(step), int(index)) for step, index in json.loads(row.parents)]
    ordered = sorted(lineage.values(), key=lambda row: (row.start_time, row.step, row.instance))
    computations = executions.computations({row.content_key for row in ordered if row.content_key})
    return run_pb2.GetLineageResponse(
        sample=sample, executions=[_execution_view(row, computations.get(row.content_key)) for row in ordered]
    )


def _execution_view(row: ExecutionRow, computation: ComputationRow | None) -> run_pb2.StepExecution:
    execution = run_pb2.StepExecution(
        content_key=row.content_key,
        step=row.step,
        verdict=row.verdict,
        reason=row.reason,
        start_time=_timestamp(row.start_time),
        duration_s=row.duration_s,
        num_attempts=row.num_attempts,
        reused=row.reused,
    )
    if computation is None:
        return execution
    execution.call, execution.model = computation.call, computation.model
    execution.revision = computation.revision
    method = heavy_methods()[computation.call]
    request, result = method.new_request(), method.new_result()
    request.ParseFromString(computation.request)
    execution.request.update(_json(request))
    execution.input_sha256s.extend(artifact_sha256s(request))
    if computation.result is not None:
        result.ParseFromString(computation.result)
        execution.result.update(_json(result))
        execution.output_sha256s.extend(artifact_sha256s(result))
    return execution


def _json(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def _timestamp(time_s: float | None) -> Timestamp | None:
    if time_s is None:
        return None
    stamp = Timestamp()
    stamp.FromMicroseconds(int(time_s * 1e6))
    return stamp
