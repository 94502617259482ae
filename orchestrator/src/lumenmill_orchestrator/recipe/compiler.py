"""Compiles YAML text to a recipe, or to a list of all its problems with their positions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lumenmill.common.v1 import model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.recipe.context import KnownModel, PipelineContext
from lumenmill_orchestrator.recipe.document import Located, Problems, read_document
from lumenmill_orchestrator.recipe.model import Recipe
from lumenmill_orchestrator.recipe.parameters import compile_parameters, resolve_parameters
from lumenmill_orchestrator.recipe.pipelines import compile_pipeline
from lumenmill_orchestrator.recipe.types import UNRESOLVED, ValueType, message_type, record_type

__all__ = ["CheckedRecipe", "check_recipe"]

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
_RECIPE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
_PIPELINE_KEYS = ("source", "steps", "samples")
_TOP_KEYS = ("lumenmill", "name", "description", "parameters", "pipelines")


@dataclass(frozen=True)
class CheckedRecipe:
    """The outcome of a check: a recipe, or the problems that it has."""

    recipe: Recipe | None
    problems: list[run_pb2.RecipeProblem]


def check_recipe(
    text: str, file: str, given_parameters: Mapping[str, Any], known_models: Mapping[str, KnownModel] | None
) -> CheckedRecipe:
    """Check a recipe with the given parameter values against the contracts and the models of the mesh.

    Without a mesh `known_models` is None: models, their contracts and presets are then not checked.
    """
    problems = Problems(file or "recipe.yaml")
    document = read_document(text, problems)
    recipe = _compile(document, given_parameters, known_models, problems) if document is not None else None
    return CheckedRecipe(None if problems.found else recipe, problems.found)


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
    pipelines = [
        compile_pipeline(name, body, PipelineContext(dict(types), scope, known_models, problems))
        for name, body in _pipeline_bodies(document, problems)
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
        problems.add(version, f"recipe syntax `{version.value}` is not supported; this is version 1")


def _recipe_name(document: Located, problems: Problems) -> str:
    name = document.get("name")
    if name is None or not isinstance(name.value, str) or not _RECIPE_NAME.match(name.value):
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
    bodies = []
    for name, body in several.items():
        if not _NAME.match(name):
            problems.add(body, f"`{name}` is not a name; use small letters, digits and `_`")
            continue
        problems.unknown_keys(body, _PIPELINE_KEYS)
        bodies.append((name, body))
    return bodies
