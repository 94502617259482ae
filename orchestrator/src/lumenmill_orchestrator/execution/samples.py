"""From an executed item to its samples."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2, light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.item import ItemExecution, instance_requirements, is_excluded, source_parents
from lumenmill_orchestrator.execution.licences import add_licences
from lumenmill_orchestrator.execution.outcomes import Outcome, StepStates
from lumenmill_orchestrator.execution.recording import Parents, verdict_name
from lumenmill_orchestrator.execution.scene_keys import scene_key
from lumenmill_orchestrator.light_paths import record_path_maps
from lumenmill_orchestrator.names import check_role, file_name_of, name_from
from lumenmill_orchestrator.recipe import MISSING, Requirement, SampleRule
from lumenmill_orchestrator.storage import CountDelta, Rows
from lumenmill_orchestrator.storage.schema import samples

__all__ = ["SAMPLES_COUNTED_AS", "MadeSample", "count_samples", "sample_rows", "samples_of"]

SAMPLES_COUNTED_AS = "#samples"
# Which verdict a sample gets when steps behind it ended differently, the first of these.
_SEVERITY = (run_pb2.VERDICT_REJECTED, run_pb2.VERDICT_FAILED, run_pb2.VERDICT_SKIPPED)
_COUNTED_AS = {run_pb2.VERDICT_ACCEPTED: "num_accepted", run_pb2.VERDICT_REJECTED: "num_rejected"}


@dataclass(frozen=True)
class MadeSample:
    """A sample with its lineage."""

    sample: run_pb2.Sample
    parents: Parents


async def samples_of(execution: ItemExecution) -> list[MadeSample]:
    """Return all samples of an item whose steps have all ended, and add them to its costs."""
    made: list[MadeSample] = []
    now_s = time.time()
    item_scope, states = execution.scope, execution.states
    item_scene_key = scene_key(execution.pipeline, item_scope)
    everything = {**item_scope, **states.all_values()}
    for rule in execution.pipeline.samples:
        for number, element, blocked in await _elements(rule, execution):
            requires = instance_requirements(rule.requires, rule.fan_out)
            all_requires = [*rule.expansion_requires, *requires]
            scope = {**item_scope, **states.values(requires), "each": element, "each_index": number}
            if blocked is not None and is_excluded(rule.when, item_scope):
                continue
            if blocked is not None:
                outcome: Outcome | None = _worst([blocked, *await _ended(all_requires, number, states)])
            else:
                outcome = await _outcome(rule, requires, number, scope, states)
            if outcome is None:
                continue
            sample = _sample(execution.run, rule, scope, outcome)
            sample.id = f"{execution.run.id}.{execution.item_id}.{rule.name}.{number}"
            sample.item_id = execution.item_id
            sample.group_id, sample.scene_key = _group_id(rule, scope), item_scene_key
            sample.create_time.FromMilliseconds(int(now_s * 1000))
            paths = _light_paths(execution, all_requires, number) if outcome.accepted else []
            add_licences(sample, execution, rule, everything, paths)
            record_path_maps(sample, paths)
            parents = states.parents(all_requires, number)
            execution.costs.add_sample(sample, parents)
            made.append(MadeSample(sample, [*source_parents(execution.pipeline, execution.index), *parents]))
    return made


def sample_rows(made: Iterable[MadeSample]) -> Rows:
    """Return the rows of samples."""
    rows = Rows()
    for each in made:
        _add_row(rows, each.sample, each.parents)
    return rows


def count_samples(made: Iterable[MadeSample]) -> None:
    """Add samples to the metrics, once their rows are durable."""
    for each in made:
        kind = run_pb2.SampleKind.Name(each.sample.kind).removeprefix("SAMPLE_KIND_").lower()
        metrics.SAMPLES.labels(kind, verdict_name(each.sample.verdict)).inc()


async def _elements(rule: SampleRule, execution: ItemExecution) -> list[tuple[int, Any, Outcome | None]]:
    """Return (number, element, what prevents it) for each sample that a rule may make."""
    fan_out, states = rule.fan_out, execution.states
    if fan_out is None:
        return [(0, MISSING, None)]
    blocked, elements = await states.expansion(fan_out, rule.expansion_requires, execution.scope)
    if blocked is not None:
        return [(0, MISSING, blocked)] if blocked.applies else []
    if fan_out.aligned_step is not None:  # all instances have ended
        elements = states.of(fan_out.aligned_step).value()[: fan_out.at_most]
    return [(number, value, None) for number, value in enumerate(elements)]


async def _outcome(
    rule: SampleRule, requires: Iterable[Requirement], number: int, scope: Mapping[str, Any], states: StepStates
) -> Outcome | None:
    """Return how a sample ended; None when the recipe does not request it."""
    if rule.when is not None and not rule.when.holds(scope):
        return None
    media = [requirement for requirement in requires if requirement.step == rule.media_step]
    for requirement in media:
        if not all(outcome.applies for outcome in await states.outcomes(requirement, number)):
            return None
    return _worst(await _ended(requires, number, states))


async def _ended(requires: Iterable[Requirement], number: int, states: StepStates) -> list[Outcome]:
    """Return how the required instances of steps that are not optional ended, of those that apply."""
    return [
        outcome
        for requirement in requires
        if not states.of(requirement.step).step.optional
        for outcome in await states.outcomes(requirement, number)
        if outcome.applies
    ]


def _worst(ended: Sequence[Outcome]) -> Outcome:
    """Return the first outcome of the most severe verdict; accepted where none prevents the sample."""
    for verdict in _SEVERITY:
        for outcome in ended:
            if outcome.verdict == verdict:
                return Outcome(verdict, outcome.reason)
    return Outcome(run_pb2.VERDICT_ACCEPTED)


def _sample(run: ActiveRun, rule: SampleRule, scope: Mapping[str, Any], outcome: Outcome) -> run_pb2.Sample:
    """Return a sample without its identity.

    Raises:
        FailedPreconditionError: the role or the digest of a medium could not name a file.
        InvalidArgumentError: the store keeps no files of the media type of one.
    """
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
    for role, artifact in sample.media.items():
        check_role(role)
        file_name_of(artifact)
    for prefix, reference in rule.scored:
        for name, value in _numbers(reference.evaluate(scope)):
            sample.scores[prefix + name] = value
    return sample


def _numbers(value: Any) -> Iterable[tuple[str, float]]:
    """Return the numbers of a message or map by name; none of an absent one."""
    if value is MISSING:
        return []
    if isinstance(value, Message):
        return [(field.name, number) for field, number in value.ListFields()]
    return list(value.items())


def _light_paths(execution: ItemExecution, requires: Iterable[Requirement], number: int) -> list[light_pb2.LightPath]:
    """Return the light paths in the requests of the calls whose results a sample holds."""
    found: list[light_pb2.LightPath] = []
    for requirement in requires:
        step = execution.states.of(requirement.step).step
        if all(field.message_type is not light_pb2.LightPath.DESCRIPTOR for field in step.method.request.fields):
            continue
        for instance in execution.states.numbers(requirement, number):
            request = execution.request_of(step, instance)
            found += [value for _, value in request.ListFields() if isinstance(value, light_pb2.LightPath)]
    return found


def _group_id(rule: SampleRule, scope: Mapping[str, Any]) -> str:
    """Return the id of the group that the recipe names by an artifact's digest or a text; empty without one.

    Texts of items, such as prompts and names of files, become names that stand for them.
    """
    if isinstance(rule.group, str):
        return rule.group
    value = rule.group.evaluate(scope) if rule.group is not None else MISSING
    if isinstance(value, artifact_pb2.Artifact) and value.sha256:
        return f"g-{value.sha256[:24]}"
    return name_from(value) if isinstance(value, str) and value else ""


def _add_row(rows: Rows, sample: run_pb2.Sample, parents: Parents) -> None:
    rows.add(
        samples,
        id=sample.id,
        run_id=sample.run_id,
        item_id=sample.item_id,
        kind=sample.kind,
        verdict=sample.verdict,
        reason=sample.reason,
        group_id=sample.group_id,
        create_time=sample.create_time.ToMilliseconds() / 1000.0,
        parents=json.dumps(parents),
        message=sample.SerializeToString(deterministic=True),
    )
    counted_as = _COUNTED_AS.get(sample.verdict, "num_failed")
    rows.counts.append(CountDelta(sample.run_id, SAMPLES_COUNTED_AS, {counted_as: 1}))
