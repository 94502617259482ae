"""From a walked item to its samples."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.light_paths import record_path_maps
from lumenmill_orchestrator.recipe import MISSING, Pipeline, Requirement, SampleRule
from lumenmill_orchestrator.storage import CountDelta, Rows
from lumenmill_orchestrator.storage.schema import samples
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.item import ItemWalk, aligned_requirements, source_parents
from lumenmill_orchestrator.walk.outcomes import Outcome, States
from lumenmill_orchestrator.walk.recording import verdict_name
from lumenmill_orchestrator.walk.scenes import scene_key
from lumenmill_orchestrator.walk.terms import add_licences

__all__ = ["SAMPLES_COUNTED_AS", "sample_rows"]

SAMPLES_COUNTED_AS = "#samples"
# What decides when several things went wrong with one sample.
_GRAVITY = (run_pb2.VERDICT_REJECTED, run_pb2.VERDICT_FAILED, run_pb2.VERDICT_SKIPPED)
_COUNTED_AS = {run_pb2.VERDICT_ACCEPTED: "num_accepted", run_pb2.VERDICT_REJECTED: "num_rejected"}


async def sample_rows(run: ActiveRun, pipeline: Pipeline, index: int, walk: ItemWalk) -> Rows:
    """Rows of all samples of a item whose steps have all ended."""
    rows = Rows()
    now_s = time.time()
    shown, everything = scene_key(pipeline, walk.scope), {**walk.scope, **walk.states.everything()}
    for rule in pipeline.samples:
        for number, element, blocked in await _elements(rule, walk):
            requires = aligned_requirements(rule.requires, rule.fan_out)
            scope = {**walk.scope, **walk.states.values(requires), "each": element, "each_index": number}
            outcome = blocked or await _outcome(rule, requires, number, scope, walk.states)
            if outcome is None:
                continue
            sample = _sample(run, rule, scope, outcome)
            sample.id = f"{run.id}.{walk.item_id}.{rule.name}.{number}"
            sample.item_id = walk.item_id
            sample.group_id, sample.scene_key = _group_id(rule, scope), shown
            sample.create_time.FromMilliseconds(int(now_s * 1000))
            behind = [*rule.expansion_requires, *requires]
            paths = _light_paths(walk, behind, number) if outcome.accepted else []
            add_licences(sample, run, pipeline, rule, everything, behind, paths)
            record_path_maps(sample, paths)
            parents = walk.states.parents(behind, number)
            walk.costs.stand_behind(sample, parents)
            _add_row(rows, sample, [*source_parents(pipeline, index), *parents])
    walk.costs.count()
    return rows


async def _elements(rule: SampleRule, walk: ItemWalk) -> list[tuple[int, Any, Outcome | None]]:
    """(number, element, what stands in the way) for each sample that a rule may make."""
    fan_out, states = rule.fan_out, walk.states
    if fan_out is None:
        return [(0, MISSING, None)]
    if fan_out.aligned_step is not None:
        state = states.of(fan_out.aligned_step)
        blocked = await state.expanded
        values: Sequence[Any] = state.value() if blocked is None else []
    else:
        blocked = await states.obstacle(rule.expansion_requires, 0)
        found: Any = (
            MISSING if blocked else fan_out.elements.evaluate({**walk.scope, **states.values(rule.expansion_requires)})
        )
        values = [] if found is MISSING else list(found)
    if blocked is not None:
        return [(0, MISSING, blocked)] if blocked.applies else []
    return [(number, value, None) for number, value in enumerate(values[: fan_out.at_most])]


async def _outcome(
    rule: SampleRule, requires: Iterable[Requirement], number: int, scope: Mapping[str, Any], states: States
) -> Outcome | None:
    """How a sample ended; None when the recipe does not want it."""
    if rule.when is not None and not rule.when.holds(scope):
        return None
    ended: list[Outcome] = []
    for requirement in requires:
        outcomes = await states.outcomes(requirement, number)
        if requirement.step == rule.media_step and not all(outcome.applies for outcome in outcomes):
            return None
        if not states.of(requirement.step).step.optional:
            ended += [outcome for outcome in outcomes if outcome.applies]
    for verdict in _GRAVITY:
        for outcome in ended:
            if outcome.verdict == verdict:
                return Outcome(verdict, outcome.reason)
    return Outcome(run_pb2.VERDICT_ACCEPTED)


def _sample(run: ActiveRun, rule: SampleRule, scope: Mapping[str, Any], outcome: Outcome) -> run_pb2.Sample:
    sample = run_pb2.Sample()
    sample.MergeFromString(rule.fields.build(scope).SerializeToString())
    sample.run_id, sample.step, sample.kind = run.id, rule.media_step, rule.kind
    sample.verdict, sample.reason = outcome.verdict, outcome.reason
    for reference in rule.intrinsics:
        maps = reference.evaluate(scope)
        for entry in [] if maps is MISSING else maps:
            role = intrinsics_pb2.IntrinsicKind.Name(entry.kind).removeprefix("INTRINSIC_KIND_").lower()
            sample.media[role].CopyFrom(entry.data)
            if entry.HasField("preview"):
                sample.media[f"{role}_preview"].CopyFrom(entry.preview)
    error: Any = rule.light_error.evaluate(scope) if rule.light_error is not None else MISSING
    for field, value in [] if error is MISSING else error.ListFields():
        sample.scores[f"light_error_{field.name}"] = value
    return sample


def _light_paths(walk: ItemWalk, behind: Iterable[Requirement], number: int) -> list[light_pb2.LightPath]:
    """The paths of moving light in what the calls were asked whose results a sample holds."""
    found: list[light_pb2.LightPath] = []
    for requirement in behind:
        step = walk.states.of(requirement.step).step
        if all(field.message_type is not light_pb2.LightPath.DESCRIPTOR for field in step.method.request.fields):
            continue
        for instance in walk.states.numbers(requirement, number):
            asked = walk.request_of(step, instance)
            found += [value for _, value in asked.ListFields() if isinstance(value, light_pb2.LightPath)]
    return found


def _group_id(rule: SampleRule, scope: Mapping[str, Any]) -> str:
    """The group as the recipe says, by an artifact's digest or a text; empty without one."""
    if isinstance(rule.group, str):
        return rule.group
    value = rule.group.evaluate(scope) if rule.group is not None else MISSING
    if isinstance(value, artifact_pb2.Artifact) and value.sha256:
        return f"g-{value.sha256[:24]}"
    return value if isinstance(value, str) else ""


def _add_row(rows: Rows, sample: run_pb2.Sample, parents: list[list[str | int]]) -> None:
    rows.add(
        samples,
        id=sample.id,
        run_id=sample.run_id,
        item_id=sample.item_id,
        kind=sample.kind,
        verdict=sample.verdict,
        group_id=sample.group_id,
        create_time=sample.create_time.ToMilliseconds() / 1000.0,
        parents=json.dumps(parents),
        message=sample.SerializeToString(deterministic=True),
    )
    counted_as = _COUNTED_AS.get(sample.verdict, "num_failed")
    rows.counts.append(CountDelta(sample.run_id, SAMPLES_COUNTED_AS, {counted_as: 1}))
    kind = run_pb2.SampleKind.Name(sample.kind).removeprefix("SAMPLE_KIND_").lower()
    metrics.SAMPLES.labels(kind, verdict_name(sample.verdict)).inc()
