"""What the compilers of a pipeline's source, steps and samples share: names, types, constants and requirements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lumenmill.common.v1 import model_pb2
from lumenmill_orchestrator.recipe.conditions import Condition, compile_condition
from lumenmill_orchestrator.recipe.document import WRONG, Located, Problems, shown
from lumenmill_orchestrator.recipe.limits import MAX_AT_MOST
from lumenmill_orchestrator.recipe.model import FanOut
from lumenmill_orchestrator.recipe.reference_compiler import ReferenceCompiler
from lumenmill_orchestrator.recipe.references import Reference, Requirement, Scope, whole_reference
from lumenmill_orchestrator.recipe.types import UNRESOLVED, TypeKind, ValueType, scalar_type, with_article

__all__ = ["INT", "KnownModel", "PipelineContext", "ScopedFanOut"]

INT = scalar_type(TypeKind.INT)


@dataclass(frozen=True)
class KnownModel:
    """A model of the mesh as recipes see it. `model` is None until the model has described itself."""

    name: str
    model: model_pb2.Model | None = None


@dataclass(frozen=True)
class ScopedFanOut:
    """A compiled `for_each` (None without one) and the types that are in scope inside it."""

    fan_out: FanOut | None
    types: Mapping[str, ValueType]


@dataclass
class PipelineContext:
    """The names that one pipeline can refer to, with their types; all problems go to `problems`."""

    types: dict[str, ValueType]
    scope: Scope
    """Values that are known before the run: parameters and models."""
    models: Mapping[str, KnownModel] | None
    """The models of the mesh; None without a mesh."""
    problems: Problems
    step_names: set[str] = field(default_factory=set)
    fan_out_steps: set[str] = field(default_factory=set)

    def constant(self, where: Located, key: str) -> Any:
        """Return a literal or the value of a parameter; None when it is absent, WRONG, with a problem, when it is
        wrong."""
        given = where.get(key)
        if given is None:
            return None
        path = whole_reference(given.value)
        if path is None:
            return given.plain()
        reference = ReferenceCompiler({"params": self.types["params"]}, self.problems).reference(given, path)
        return reference.evaluate(self.scope) if reference is not None else WRONG

    def constant_int(self, where: Located, key: str, minimum: int, maximum: int | None = None) -> int | None:
        """Return a whole number that is given as a literal or parameter; None, with a problem, when it is not one."""
        value = self.constant(where, key)
        is_int = isinstance(value, int) and not isinstance(value, bool)
        if is_int and value >= minimum and (maximum is None or value <= maximum):
            return int(value)
        if value is WRONG:
            return None
        bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum:,}"
        found = f", and not {shown(value)}" if isinstance(value, int | float) else ""
        self.problems.add(where.get(key) or where, f"`{key}` must be a whole number {bounds}, or a parameter{found}")
        return None

    def list_reference(self, where: Located, key: str, types: Mapping[str, ValueType]) -> Reference | None:
        """Compile a reference to a list; None, with a problem, when it is not one."""
        given = where.get(key)
        path = whole_reference(given.value) if given is not None else None
        if given is None or path is None:
            self.problems.add(
                given or where, f"`{key}` must be a reference to a list, such as `${{result.prompt_sets}}`"
            )
            return None
        reference = ReferenceCompiler(types, self.problems).reference(given, path)
        if reference is not None and not reference.type.is_list:
            self.problems.add(given, f"`{key}` must be a list, but `${{{path}}}` is {with_article(reference.type)}")
            return None
        return reference

    def fan_out(self, body: Located) -> ScopedFanOut:
        """Compile `for_each` and `at_most`."""
        if body.get("for_each") is None:
            if (stray := body.get("at_most")) is not None:
                self.problems.add(stray, "`at_most` needs `for_each`")
            return ScopedFanOut(None, self.types)
        elements = self.list_reference(body, "for_each", self.types)
        at_most = self.constant_int(body, "at_most", 0, MAX_AT_MOST) if body.get("at_most") is not None else None
        if elements is None:
            return ScopedFanOut(None, {**self.types, "each": UNRESOLVED, "each_index": INT})
        aligned = elements.root if elements.root in self.fan_out_steps and not elements.segments else None
        types = {**self.types, "each": elements.type.element(), "each_index": INT}
        return ScopedFanOut(FanOut(elements, at_most, aligned), types)

    def condition(self, body: Located, compiler: ReferenceCompiler) -> Condition | None:
        """Compile `when:`."""
        when = body.get("when")
        return compile_condition(when, compiler, self.problems) if when is not None else None

    def requirements(self, references: Iterable[Reference], fan_out: FanOut | None) -> tuple[Requirement, ...]:
        """Return the steps that some references read, apart from the one that the fan-out is aligned with."""
        return self._requirements(references, except_step=fan_out.aligned_step if fan_out is not None else None)

    def expansion_requirements(self, fan_out: FanOut | None) -> tuple[Requirement, ...]:
        """Return the steps that must end before the number of instances is known."""
        if fan_out is None or fan_out.aligned_step is not None:
            return ()
        return self._requirements([fan_out.elements], except_step=None)

    def _requirements(self, references: Iterable[Reference], except_step: str | None) -> tuple[Requirement, ...]:
        found: dict[Requirement, None] = {}
        for reference in references:
            for root in reference.roots():
                if root in self.step_names and root != except_step:
                    found[reference.requirement() if root == reference.root else Requirement(root)] = None
        return tuple(self._normal(requirement) for requirement in found)

    def _normal(self, requirement: Requirement) -> Requirement:
        """Only instances of fan-out steps can be required one by one."""
        return requirement if requirement.step in self.fan_out_steps else Requirement(requirement.step)
