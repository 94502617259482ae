"""Parses references against the names in scope, and reports wrong ones at their position."""

import re
from collections.abc import Mapping

from lumenmill_orchestrator.recipe.document import Located, Problems
from lumenmill_orchestrator.recipe.references import Reference, ReferenceProblem, parse_reference
from lumenmill_orchestrator.recipe.types import ValueType

__all__ = ["ReferenceCompiler"]


class ReferenceCompiler:
    """Parses the references of one scope."""

    def __init__(self, types: Mapping[str, ValueType], problems: Problems) -> None:
        """`types` are those of the names that references can start with."""
        self._types = dict(types)
        self._problems = problems

    def reference(self, where: Located, path: str) -> Reference | None:
        """Parse one reference; adds a problem and returns None when it is wrong."""
        try:
            return parse_reference(path, self._types)
        except ReferenceProblem as problem:
            if _root_of(path) in self._problems.unresolved:
                self._problems.add_consequence()
            else:
                self._problems.add(where, str(problem))
            return None


def _root_of(path: str) -> str:
    """Return the first name of a path."""
    return re.split(r"[.\[]", path.strip(), maxsplit=1)[0]
