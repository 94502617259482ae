"""Inputs of a run that a step or sample rule refers to: values of its references to parameters and to the item."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from lumenmill.common.v1 import artifact_pb2
from lumenmill_orchestrator.recipe import MISSING, SampleRule, Step
from lumenmill_orchestrator.recipe.references import Reference, Scope

__all__ = ["given_values", "is_environment_map", "rule_values"]

_INPUT_ROOTS = frozenset({"params", "item"})
_MAPS = frozenset({"image/vnd.radiance", "image/x-exr"})


def is_environment_map(artifact: artifact_pb2.Artifact) -> bool:
    """Whether a given file is a light rather than something that the picture shows."""
    return artifact.media_type in _MAPS


def given_values(step: Step, scope: Scope) -> Iterator[Any]:
    """Yield the values of a step's references to parameters and to the item; the list of `for_each` as a whole."""
    return _values([*step.request.references, *([step.fan_out.elements] if step.fan_out else [])], scope)


def rule_values(rule: SampleRule, scope: Scope) -> Iterator[Any]:
    """Yield the same for a sample rule."""
    references = [*rule.fields.references, *rule.intrinsics]
    references += [rule.fan_out.elements] if rule.fan_out else []
    return _values([*references, *([rule.group] if isinstance(rule.group, Reference) else [])], scope)


def _values(references: Iterable[Reference], scope: Scope) -> Iterator[Any]:
    for reference in references:
        if reference.root not in _INPUT_ROOTS:
            continue
        value = _without_indices(reference).evaluate(scope)
        # A list of maps is an offer to choose from; the chosen one is named by a light.
        if value is not MISSING and not _is_offer(value):
            yield value


def _without_indices(reference: Reference) -> Reference:
    """Return the path up to the first index that depends on the instance: all that any instance may be given."""
    segments = reference.segments
    for position, segment in enumerate(segments):
        if segment.index_path:
            return replace(reference, segments=segments[:position])
    return reference


def _is_offer(value: Any) -> bool:
    if isinstance(value, artifact_pb2.Artifact | str | bytes | int | float) or not hasattr(value, "__len__"):
        return False
    elements = list(value) if not isinstance(value, dict) else []
    return bool(elements) and all(
        isinstance(element, artifact_pb2.Artifact) and is_environment_map(element) for element in elements
    )
