"""Licences of everything behind a sample: models, what their records name, and the inputs of the run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.file_licences import NOT_STATED, SampleFileLicences
from lumenmill_orchestrator.execution.item import ItemExecution, instance_requirements
from lumenmill_orchestrator.execution.records import records_in
from lumenmill_orchestrator.execution.run_inputs import given_values, rule_values
from lumenmill_orchestrator.recipe import Pipeline, SampleRule

__all__ = ["add_licences"]


def add_licences(
    sample: run_pb2.Sample,
    execution: ItemExecution,
    rule: SampleRule,
    scope: Mapping[str, Any],
    paths: Sequence[light_pb2.LightPath],
) -> None:
    """Add the licences of every model behind a sample, of every asset that records name, and of every input.

    Licences of files are those that are stated now; see `file_licences`. `scope` holds the item and the results of all
    of its steps; `paths` are the light paths of the sample.
    """
    run, pipeline = execution.run, execution.pipeline
    requires = [*rule.expansion_requires, *instance_requirements(rule.requires, rule.fan_out)]
    steps = ancestors(pipeline, [requirement.step for requirement in requires])
    found = list(_of_models(run, pipeline, steps))
    made: list[Any] = [scope["item"], *(scope.get(name) for name in sorted(steps))]
    given = _given(pipeline, rule, scope, steps)
    lights = [sample.requested_light, sample.record.light, *paths]
    file_licences = SampleFileLicences(
        run.file_licences, [*lights, *made, *given], (licence.subject for licence in found)
    )
    records = [record for value in made for record in _records_of(value, sample)]
    for record in (*_source_records(run, pipeline, scope), *records, sample.record):
        found += file_licences.of_record(record)
    for artifact in artifacts_in(lights):
        found += run.file_licences.of(digest_of(artifact))
    for artifact in artifacts_in([*made[1:], *given]):
        found += run.file_licences.inputs.get(digest_of(artifact), ())
    for licence in found:
        if licence not in sample.licences:
            sample.licences.append(licence)


def ancestors(pipeline: Pipeline, names: Iterable[str]) -> set[str]:
    """Return the names of these steps and of all their ancestors."""
    by_name = {step.name: step for step in pipeline.steps}
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += by_name[name].depends_on()
    return found


def _of_models(run: ActiveRun, pipeline: Pipeline, steps: set[str]) -> Iterator[artifact_pb2.Licence]:
    names = [step.model_name for step in pipeline.steps if step.name in steps]
    if pipeline.source.call is not None:
        names.append(pipeline.source.call.model_name)
    for name in dict.fromkeys(names):
        known = run.recipe.models.get(name) or model_pb2.Model()
        # A map that a model offers is in samples made with it only; their records name it.
        offered = {subject for each in known.environment_maps for subject in (each.name, each.sha256)} - {""}
        stated = [licence for licence in known.licences if licence.subject not in offered]
        yield from stated or [artifact_pb2.Licence(subject=name, spdx_id=NOT_STATED)]


def _source_records(
    run: ActiveRun, pipeline: Pipeline, scope: Mapping[str, Any]
) -> list[generation_pb2.GenerationRecord]:
    """Return the records of the source's result without those in its items, each of which counts for its own item."""
    if pipeline.source.call is None:
        return []
    index = scope["item_index"]
    return run.batches[pipeline.name, index - index % pipeline.source.batch_size].result().records


def _records_of(value: Any, sample: run_pb2.Sample) -> list[generation_pb2.GenerationRecord]:
    """Return the records in a value; where one of them is the sample's own, the others are of its siblings."""
    records = records_in(value)
    own = sample.HasField("record") and sample.record in records
    return [sample.record] if own else records


def _given(pipeline: Pipeline, rule: SampleRule, scope: Mapping[str, Any], steps: set[str]) -> list[Any]:
    """Return the parameters and parts of the item that the sample and every call in `steps` use."""
    values = list(rule_values(rule, scope))
    calls = [step for step in pipeline.steps if step.name in steps]
    for step in [pipeline.source.call, *calls] if pipeline.source.call is not None else calls:
        values += given_values(step, scope)
    return values
