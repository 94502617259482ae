"""The types that a recipe declares for its parameters, read without building anything of the recipe."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from lumenmill_client._text_files import read_text

__all__ = ["declared_types"]

# The orchestrator refuses more; aliases and merges of what is deeper or longer could take any time and memory.
_MAX_DEPTH, _MAX_EVENTS = 64, 100_000
_MERGE_KEY = "<<"


def declared_types(recipe: Path) -> Mapping[str, str]:
    """Return the types by the name of the parameter; none of a file that is no recipe, which the check reports."""
    text = read_text(recipe, "recipe")
    try:
        if not _is_within_limits(text):
            return {}
        document = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, ValueError):
        return {}
    declared = _value(document, "parameters")
    entries = declared.value if isinstance(declared, yaml.MappingNode) else []
    found = {name.value: _value(entry, "type") for name, entry in entries if isinstance(name, yaml.ScalarNode)}
    return {str(name): str(node.value) for name, node in found.items() if isinstance(node, yaml.ScalarNode)}


def _is_within_limits(text: str) -> bool:
    depth = 0
    for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or number > _MAX_EVENTS:
            return False
    return True


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the value of a key of a mapping, else of the mappings that are merged into it."""
    pending, seen = [node], set[int]()
    while pending:
        current = pending.pop(0)
        if not isinstance(current, yaml.MappingNode) or id(current) in seen:
            continue
        seen.add(id(current))
        entries: list[tuple[yaml.Node, yaml.Node]] = current.value
        for name, value in entries:
            if name.value == key:
                return value
            if name.value == _MERGE_KEY:
                pending += value.value if isinstance(value, yaml.SequenceNode) else [value]
    return None
