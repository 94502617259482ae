"""Parses references against the names in scope, and reports wrong ones at their position."""

import re
from collections.abc import Mapping

from lumenmill_orchestrator.recipe.document import Located, Problems
from lumenmill_orchestrator.recipe.references import Reference, ReferenceProblem, parse_reference
from lumenmill_orchestrator.recipe.types import UNRESOLVED, ValueType

__all__ = ["ReferenceCompiler"]

_NAMES = re.compile(r"[A-Za-z_]\w*")
_INDEX = re.compile(r"\[\s*([A-Za-z_][\w.]*)")


class ReferenceCompiler:
    """Parses the references of one scope."""

    def __init__(self, types: Mapping[str, ValueType], problems: Problems) -> None:
        """`types` are those of the names that references can start with."""
        self._types = dict(types)
        self._problems = problems

    def reference(self, where: Located, path: str) -> Reference | None:
        """Parse one reference; adds a problem and returns None when it is wrong, or leads to a step or parameter that
        is."""
        if any(self._is_unresolved(part) for part in (path, *_INDEX.findall(path))):
            self._problems.add_consequence()
            return None
        try:
            return parse_reference(path, self._types)
        except ReferenceProblem as problem:
            self._problems.add(where, str(problem))
            return None

    def _is_unresolved(self, path: str) -> bool:
        root, *names = _NAMES.findall(path)[:2] or [""]
        known = self._types.get(root)
        if known is not UNRESOLVED and known is not None and known.members is not None and names:
            known = known.members.get(names[0])
        return known is UNRESOLVED
