"""Compiles YAML text to a recipe, or to a list of all its problems with their positions."""

import re
from collections.abc import Mapping
from typing import Any

from lumenmill.common.v1 import model_pb2
from lumenmill_orchestrator.recipe.context import KnownModel, PipelineContext
from lumenmill_orchestrator.recipe.document import Located, Problems, TooManyProblemsError, shown
from lumenmill_orchestrator.recipe.limits import MAX_EXECUTIONS, MAX_ITEMS, MAX_PIPELINES, MAX_STEPS
from lumenmill_orchestrator.recipe.model import CheckedRecipe, PlannedCall, Recipe
from lumenmill_orchestrator.recipe.parameters import compile_parameters, resolve_parameters
from lumenmill_orchestrator.recipe.pipelines import compile_pipeline
from lumenmill_orchestrator.recipe.plan import planned_calls
from lumenmill_orchestrator.recipe.types import UNRESOLVED, ValueType, message_type, record_type
from lumenmill_orchestrator.recipe.work_limit import WorkLimit
from lumenmill_orchestrator.recipe.yaml_reader import read_document

__all__ = ["check_recipe"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RECIPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PIPELINE_KEYS = ("source", "steps", "samples")
_TOP_KEYS = ("lumenmill", "name", "description", "parameters", "pipelines")


def check_recipe(
    text: str,
    file: str,
    given_parameters: Mapping[str, Any],
    known_models: Mapping[str, KnownModel] | None,
    limit: WorkLimit | None = None,
) -> CheckedRecipe:
    """Check a recipe with the given parameter values against the contracts and the models of the mesh, and plan it.

    Without a mesh `known_models` is None: models, their contracts and presets are then not checked. `limit` ends a
    check that takes too long, or that nobody waits for.

    Raises:
        CancelledError, DeadlineExceededError: of the limit.
    """
    problems = Problems(file or "recipe.yaml", limit or WorkLimit())
    recipe, calls = None, list[PlannedCall]()
    try:
        document = read_document(text, problems)
        if document is not None:
            recipe = _compile(document, given_parameters, known_models, problems)
            calls = _planned(recipe, document, problems) if recipe is not None else []
    except TooManyProblemsError:
        problems.found[-1].message += f" (only the first {len(problems.found)} problems are listed)"
    if problems.found or recipe is None:
        return CheckedRecipe(None, (), problems.found)
    return CheckedRecipe(recipe, calls, [])


def _planned(recipe: Recipe, document: Located, problems: Problems) -> list[PlannedCall]:
    """Return the plan of a recipe without problems; add one where the run would be larger than a run may be."""
    if problems.found:
        return []
    if recipe.num_items > MAX_ITEMS:
        sources = ", ".join(f"`{pipeline.name}` {pipeline.source.num_items:,}" for pipeline in recipe.pipelines)
        problems.add(document, f"the run has {recipe.num_items:,} items ({sources}); at most {MAX_ITEMS:,} are allowed")
        return []
    calls = planned_calls(recipe, problems.limit)
    num_executions = sum(call.num_executions for call in calls)
    if num_executions > MAX_EXECUTIONS:
        largest = max(calls, key=lambda call: call.num_executions)
        problems.add(
            _where_of(recipe, largest, document),
            f"the plan has {num_executions:,} executions, {largest.num_executions:,} of `{largest.name}`; at most "
            f"{MAX_EXECUTIONS:,} are allowed; lower `count` or `at_most`, or split the run",
        )
    return calls


def _where_of(recipe: Recipe, call: PlannedCall, document: Located) -> Located:
    steps = ((recipe.qualified(pipeline, step.name), step.where) for pipeline, step in recipe.steps())
    return next((where for name, where in steps if name == call.name), document)


def _compile(
    document: Located, given: Mapping[str, Any], known_models: Mapping[str, KnownModel] | None, problems: Problems
) -> Recipe | None:
    if document.value is None:
        problems.add(document, "the file is empty; a recipe needs `lumenmill: 1`, `name`, `source` and `samples`")
        return None
    if not document.is_mapping:
        problems.add(document, "a recipe is a mapping with `lumenmill: 1`, `name`, `source`, `steps` and `samples`")
        return None
    problems.unknown_keys(document, (*_TOP_KEYS, *_PIPELINE_KEYS))
    _check_version(document, problems)
    declared = compile_parameters(document.get("parameters"), problems)
    # Placeholders replace wrong values, so that problems of the graph are reported together with those of the values.
    values = resolve_parameters(declared, given, problems)
    models = {name: known.model or model_pb2.Model() for name, known in (known_models or {}).items()}
    model_type = message_type(model_pb2.Model.DESCRIPTOR)
    types: dict[str, ValueType] = {
        "params": record_type(
            {name: UNRESOLVED if parameter is None else parameter.type for name, parameter in declared.items()}
        ),
        "models": model_type.mapped() if known_models is None else record_type(dict.fromkeys(known_models, model_type)),
    }
    scope = {"params": values, "models": models}
    bodies = _pipeline_bodies(document, problems)
    if not _check_num_steps(bodies, problems):
        return None
    pipelines = [
        compile_pipeline(name, body, PipelineContext(dict(types), scope, known_models, problems))
        for name, body in bodies
    ]
    description = document.get("description")
    return Recipe(
        name=_recipe_name(document, problems),
        description=str(description.value) if description is not None else "",
        parameters=values,
        pipelines=tuple(pipeline for pipeline in pipelines if pipeline is not None),
        models=models,
    )


def _check_version(document: Located, problems: Problems) -> None:
    version = document.get("lumenmill")
    if version is None:
        problems.add(document, "the first line of a recipe is `lumenmill: 1`, the version of its syntax")
    elif version.value != 1:
        problems.add(version, f"recipe syntax `{shown(version.value)}` is not supported; this is version 1")


def _recipe_name(document: Located, problems: Problems) -> str:
    name = document.get("name")
    if name is None or not isinstance(name.value, str) or not _RECIPE_NAME.fullmatch(name.value):
        problems.add(name or document, "a recipe needs a `name` of letters, digits, `.`, `_` and `-`")
        return ""
    return name.value


def _pipeline_bodies(document: Located, problems: Problems) -> list[tuple[str, Located]]:
    several = document.get("pipelines")
    if several is None:
        return [("main", document)]
    for key in _PIPELINE_KEYS:
        if (both := document.get(key)) is not None:
            problems.add(both, f"`{key}` belongs inside a pipeline when there are `pipelines`")
    if not several.is_mapping or not several.value:
        problems.add(several, "`pipelines` is a mapping from names to `{source, steps, samples}`")
        return []
    if len(several.value) > MAX_PIPELINES:
        problems.add(several, f"there are {len(several.value)} pipelines; at most {MAX_PIPELINES} are allowed")
        return []
    bodies = []
    for name, body in several.items():
        if not _NAME.fullmatch(name):
            problems.add(body, f"`{shown(name)}` is not a name; use small letters, digits and `_`, at most 63")
            continue
        problems.unknown_keys(body, _PIPELINE_KEYS)
        bodies.append((name, body))
    return bodies


def _check_num_steps(bodies: list[tuple[str, Located]], problems: Problems) -> bool:
    """Return whether there are no more steps and rules for samples than a recipe may have; add a problem if not."""
    parts = [part for _, body in bodies for key in ("steps", "samples") if (part := body.get(key)) is not None]
    num_steps = sum(len(part.value) for part in parts if part.is_mapping)
    if num_steps > MAX_STEPS:
        problems.add(parts[0], f"there are {num_steps} steps and samples; at most {MAX_STEPS} are allowed")
    return num_steps <= MAX_STEPS
