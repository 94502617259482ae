"""Compiles one pipeline: its source, its steps with their types and order, its samples."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2
from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator.contracts import Method, heavy_methods
from lumenmill_orchestrator.recipe.conditions import compile_condition, compile_gates
from lumenmill_orchestrator.recipe.document import Located, Problems, did_you_mean
from lumenmill_orchestrator.recipe.graph import find_cycle, ordered
from lumenmill_orchestrator.recipe.model import FanOut, Pipeline, SampleRule, Source, Step
from lumenmill_orchestrator.recipe.references import Reference, Requirement, Scope, whole_reference
from lumenmill_orchestrator.recipe.requests import RequestCompiler
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, message_type, record_type, scalar_type

__all__ = ["PipelineCompiler"]

_SOURCE_KEYS = ("call", "model", "with", "items", "count", "batch_size", "timeout_s")
_STEP_KEYS = ("call", "model", "with", "for_each", "at_most", "when", "gates", "optional", "timeout_s")
_SAMPLE_KEYS = ("for_each", "at_most", "when", "kind", "group", "intrinsics", "light_error")
_SAMPLE_FIXED = frozenset(
    {"id", "run_id", "item_id", "step", "kind", "verdict", "reason", "group_id", "licences", "create_time"}
    | {"scene_key"}
)
_KINDS = {"image": run_pb2.SAMPLE_KIND_IMAGE, "clip": run_pb2.SAMPLE_KIND_CLIP}
_RESERVED = frozenset(
    {"params", "models", "item", "item_index", "item_id", "each", "each_index", "result", "batch", "source"}
)
_LARGEST_BATCH = 1000
_INT = scalar_type(TypeKind.INT)
_BATCH = record_type({"first": _INT, "count": _INT})
_ARTIFACT = message_type(artifact_pb2.Artifact.DESCRIPTOR)
_MAPS = message_type(intrinsics_pb2.IntrinsicMap.DESCRIPTOR).listed()
_LIGHT_ERROR = message_type(captioner_pb2.LightError.DESCRIPTOR)


@dataclass(frozen=True)
class _Fan:
    """A compiled `for_each` with the types that it brings into scope."""

    fan_out: FanOut | None
    types: Mapping[str, ValueType]


class PipelineCompiler:
    """Compiles one pipeline. Problems are noted; what could not be compiled is left out."""

    def __init__(
        self,
        name: str,
        types: Mapping[str, ValueType],
        scope: Scope,
        known_models: Mapping[str, Any],
        problems: Problems,
    ) -> None:
        self._name = name
        self._types, self._scope, self._known_models, self._problems = dict(types), scope, known_models, problems
        self._fan_out_steps: set[str] = set()
        self._step_names: set[str] = set()

    def compile(self, body: Located) -> Pipeline | None:
        """Compile `{source, steps, samples}`."""
        if not body.is_mapping:
            self._problems.add(body, "a pipeline is a mapping with `source`, `steps` and `samples`")
            return None
        source = self._source(body)
        if source is None:
            return None
        self._types |= {
            "item": source.items.type.element(),
            "item_index": _INT,
            "item_id": scalar_type(TypeKind.STRING),
        }
        steps = self._steps(body.get("steps"))
        samples = self._samples(body.get("samples"))
        if not samples and body.get("samples") is None:
            self._problems.add(body, "a pipeline without `samples` makes nothing; say what becomes a sample")
        order = self._order(steps)
        return Pipeline(self._name, source, tuple(order), tuple(samples)) if order is not None else None

    # The source.

    def _source(self, body: Located) -> Source | None:
        where = body.get("source")
        if where is None or not where.is_mapping:
            self._problems.add(where or body, "a pipeline needs a `source`: a call with `items`, or `items` alone")
            return None
        self._problems.unknown_keys(where, _SOURCE_KEYS)
        call = None
        types = dict(self._types)
        if where.get("call") is not None:
            call = self._call_step("source", where, {**types, "batch": _BATCH})
            if call is None:
                return None
            types["result"] = message_type(call.method.result)
        items = self._list_reference(where, "items", types)
        if items is None:
            return None
        if call is None:
            elements = items.evaluate(self._scope)
            return Source(items, None, len(elements), self._batch_size(where))
        count = self._constant_int(where, "count", minimum=0)
        return None if count is None else Source(items, call, count, self._batch_size(where))

    def _batch_size(self, where: Located) -> int:
        if where.get("batch_size") is None:
            return 64
        return min(self._constant_int(where, "batch_size", minimum=1) or 64, _LARGEST_BATCH)

    def _constant_int(self, where: Located, key: str, minimum: int) -> int | None:
        value = self._constant(where, key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= minimum:
            return value
        self._problems.add(
            where.get(key) or where, f"`{key}` must be a whole number of at least {minimum}, or a parameter"
        )
        return None

    def _constant(self, where: Located, key: str) -> Any:
        """A literal, or the value of a parameter; None when absent or wrong."""
        given = where.get(key)
        if given is None:
            return None
        path = whole_reference(given.value)
        if path is None:
            return given.plain()
        reference = RequestCompiler({"params": self._types["params"]}, self._problems).reference(given, path)
        return reference.evaluate(self._scope) if reference is not None else None

    def _list_reference(self, where: Located, key: str, types: Mapping[str, ValueType]) -> Reference | None:
        given = where.get(key)
        path = whole_reference(given.value) if given is not None else None
        if given is None or path is None:
            self._problems.add(
                given or where, f"`{key}` must be a reference to a list, such as `${{result.prompt_sets}}`"
            )
            return None
        reference = RequestCompiler(types, self._problems).reference(given, path)
        if reference is not None and not reference.type.is_list:
            self._problems.add(given, f"`{key}` must be a list, but `${{{path}}}` is a {reference.type}")
            return None
        return reference

    # Steps.

    def _steps(self, where: Located | None) -> list[Step]:
        if where is None:
            return []
        if not where.is_mapping:
            self._problems.add(where, "`steps` is a mapping from names to `{call, model, with}`")
            return []
        self._declare(where)
        steps = [self._step(name, body) for name, body in where.items() if name in self._step_names]
        return [step for step in steps if step is not None]

    def _declare(self, where: Located) -> None:
        """Make every step's name and result type known before any reference is read, so that order does not matter."""
        for name, body in where.items():
            if not name.isidentifier() or name in _RESERVED:
                self._problems.add(
                    body, f"`{name}` cannot name a step; use letters, digits and `_`, none of {sorted(_RESERVED)}"
                )
                continue
            call = body.get("call")
            method = heavy_methods().get(str(call.value)) if call is not None else None
            self._step_names.add(name)
            if method is None:
                self._problems.unknowable.add(name)  # told where it stands, once
                continue
            result = message_type(method.result)
            if body.get("for_each") is not None:
                self._fan_out_steps.add(name)
                result = result.listed()
            self._types[name] = result

    def _step(self, name: str, body: Located) -> Step | None:
        if not body.is_mapping:
            self._problems.add(body, "a step is a mapping with `call`, `model` and `with`")
            return None
        self._problems.unknown_keys(body, _STEP_KEYS)
        fan = self._fan(body)
        return self._call_step(name, body, fan.types, fan.fan_out)

    def _call_step(
        self, name: str, body: Located, types: Mapping[str, ValueType], fan_out: FanOut | None = None
    ) -> Step | None:
        method = self._method(body)
        model = self._model(body, method)
        if method is None:
            return None
        compiler = RequestCompiler(types, self._problems)
        request = compiler.message(body.get("with"), method.request, without=frozenset({"job"}))
        self._check_preset(body, model)
        own_result = message_type(method.result)
        gate_compiler = RequestCompiler({**types, "result": own_result}, self._problems)
        when = body.get("when")
        condition = compile_condition(when, compiler, self._problems) if when is not None else None
        gates = compile_gates(body.get("gates"), gate_compiler, self._problems)
        references = [*request.references, *(condition.references if condition else ())]
        references += [reference for gate in gates for reference in gate.condition.references]
        return Step(
            name=name,
            method=method,
            model=model,
            request=request,
            where=body,
            fan_out=fan_out,
            when=condition,
            gates=gates,
            optional=self._flag(body, "optional"),
            requires=self._requirements(references, except_step=fan_out.aligned_step if fan_out else None),
            expansion_requires=self._expansion_requirements(fan_out),
            timeout_s=self._timeout_s(body),
        )

    def _method(self, body: Located) -> Method | None:
        given = body.get("call")
        word = "" if given is None else str(given.value)
        method = heavy_methods().get(word)
        if method is None:
            problem = f"unknown call `{word}`" if given is not None else "needs a `call`, such as `relighter.Relight`"
            self._problems.add(given or body, f"{problem}{did_you_mean(word, heavy_methods())}")
        return method

    def _model(self, body: Located, method: Method | None) -> str:
        given, value = body.get("model"), self._constant(body, "model")
        if given is None or not isinstance(value, str):
            self._problems.add(given or body, f"needs a `model`{did_you_mean('', self._known_models)}")
            return ""
        known = self._known_models.get(value)
        if known is None:
            self._problems.add(given, f"no model `{value}` is registered{did_you_mean(value, self._known_models)}")
        elif method is not None and known.model is not None and method.contract not in known.model.contracts:
            kept = ", ".join(f"`{contract}`" for contract in known.model.contracts)
            self._problems.add(given, f"model `{value}` does not keep `{method.contract}`; it keeps {kept or 'none'}")
        return value

    def _check_preset(self, body: Located, model: str) -> None:
        """A preset that can be known before the run is one of the model's."""
        given, known = body.get("with"), self._known_models.get(model)
        where = given.get("preset") if given is not None and given.is_mapping else None
        if where is None or known is None or known.model is None:
            return
        path = whole_reference(where.value)
        if path is not None and not path.startswith("params."):
            return
        preset = where.value if path is None else self._constant(given, "preset") if given is not None else None
        names = [each.name for each in known.model.presets]
        if isinstance(preset, str) and preset and "${" not in preset and preset not in names:
            self._problems.add(where, f"model `{model}` has no preset `{preset}`{did_you_mean(preset, names)}")

    def _flag(self, body: Located, key: str) -> bool:
        given = body.get(key)
        if given is not None and not isinstance(given.value, bool):
            self._problems.add(given, f"`{key}` is true or false")
        return given is not None and given.value is True

    def _timeout_s(self, body: Located) -> float | None:
        value = self._constant(body, "timeout_s")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            self._problems.add(body.value["timeout_s"], "`timeout_s` is a number of seconds above 0")
            return None
        return float(value)

    # Fan-out and requirements.

    def _fan(self, body: Located) -> _Fan:
        if body.get("for_each") is None:
            if (stray := body.get("at_most")) is not None:
                self._problems.add(stray, "`at_most` goes with `for_each`")
            return _Fan(None, self._types)
        elements = self._list_reference(body, "for_each", self._types)
        at_most = self._constant_int(body, "at_most", minimum=0) if body.get("at_most") is not None else None
        if elements is None:
            return _Fan(None, self._types)
        aligned = elements.root if elements.root in self._fan_out_steps and not elements.segments else None
        types = {**self._types, "each": elements.type.element(), "each_index": _INT}
        return _Fan(FanOut(elements, at_most, aligned), types)

    def _requirements(self, references: Iterable[Reference], except_step: str | None = None) -> tuple[Requirement, ...]:
        found: dict[Requirement, None] = {}
        for reference in references:
            for root in reference.roots():
                if root in self._step_names and root != except_step:
                    found[reference.requirement() if root == reference.root else Requirement(root)] = None
        return tuple(self._normal(requirement) for requirement in found)

    def _normal(self, requirement: Requirement) -> Requirement:
        """Only instances of fan-out steps can be required one by one."""
        return requirement if requirement.step in self._fan_out_steps else Requirement(requirement.step)

    def _expansion_requirements(self, fan_out: FanOut | None) -> tuple[Requirement, ...]:
        if fan_out is None or fan_out.aligned_step is not None:
            return ()
        return self._requirements([fan_out.elements])

    # Samples.

    def _samples(self, where: Located | None) -> list[SampleRule]:
        if where is None:
            return []
        if not where.is_mapping or not where.value:
            self._problems.add(where, "`samples` is a mapping from names to `{kind, media, …}`")
            return []
        return [self._sample(name, body) for name, body in where.items()]

    def _sample(self, name: str, body: Located) -> SampleRule:
        fan = self._fan(body)
        compiler = RequestCompiler(fan.types, self._problems)
        own = Located(
            {key: value for key, value in body.items() if key not in _SAMPLE_KEYS}, body.line, body.column, body.path
        )
        fields = compiler.message(own, run_pb2.Sample.DESCRIPTOR, without=_SAMPLE_FIXED)
        if "media" not in fields.given:
            self._problems.add(body, "a sample needs `media`, such as `{image: ${image.images[0].image}}`")
        when = body.get("when")
        condition = compile_condition(when, compiler, self._problems) if when is not None else None
        intrinsics = self._typed_references(body, "intrinsics", compiler, _MAPS)
        light_errors = self._typed_references(body, "light_error", compiler, _LIGHT_ERROR)
        group = self._group(body, compiler)
        references = [*fields.references, *intrinsics, *light_errors, *(condition.references if condition else ())]
        references += [group] if isinstance(group, Reference) else []
        fan_step = fan.fan_out.elements.root if fan.fan_out is not None else None
        return SampleRule(
            name=name,
            kind=self._kind(body),
            fields=fields,
            where=body,
            fan_out=fan.fan_out,
            when=condition,
            intrinsics=tuple(intrinsics),
            light_error=light_errors[0] if light_errors else None,
            group=group,
            media_step=self._media_step(fields.references, fan_step),
            requires=self._requirements(references, except_step=fan.fan_out.aligned_step if fan.fan_out else None),
            expansion_requires=self._expansion_requirements(fan.fan_out),
        )

    def _media_step(self, references: list[Reference], fan_step: str | None) -> str:
        for reference in references:
            root = fan_step if reference.root == "each" else reference.root
            if root in self._step_names and _ARTIFACT.accepts(reference.type):
                return root
        return "source"

    def _kind(self, body: Located) -> "run_pb2.SampleKind.ValueType":
        given = body.get("kind")
        if given is None or not isinstance(given.value, str) or given.value not in _KINDS:
            self._problems.add(given or body, f"a sample needs a `kind`{did_you_mean('', _KINDS)}")
            return run_pb2.SAMPLE_KIND_UNSPECIFIED
        return _KINDS[given.value]

    def _typed_references(
        self, body: Located, key: str, compiler: RequestCompiler, wanted: ValueType
    ) -> list[Reference]:
        given = body.get(key)
        if given is None:
            return []
        found = []
        for entry in given.value if given.is_sequence else [given]:
            path = whole_reference(entry.value)
            reference = compiler.reference(entry, path) if path is not None else None
            if path is None:
                self._problems.add(entry, f"`{key}` must be a reference to a {wanted}")
            elif reference is not None and not wanted.accepts(reference.type):
                self._problems.add(entry, f"`{key}` needs a {wanted}, but `${{{path}}}` is a {reference.type}")
            elif reference is not None:
                found.append(reference)
        return found

    def _group(self, body: Located, compiler: RequestCompiler) -> Reference | str | None:
        given = body.get("group")
        if given is None:
            return None
        path = whole_reference(given.value)
        if path is None:
            return str(given.value)
        reference = compiler.reference(given, path)
        wanted = (_ARTIFACT, scalar_type(TypeKind.STRING))
        if reference is not None and not any(kind.accepts(reference.type) for kind in wanted):
            self._problems.add(given, f"`group` needs an artifact or a string, but `${{{path}}}` is a {reference.type}")
            return None
        return reference

    # Order.

    def _order(self, steps: list[Step]) -> list[Step] | None:
        by_name = {step.name: step for step in steps}
        depends: dict[str, list[str]] = {
            step.name: [name for name in step.depends_on() if name in by_name] for step in steps
        }
        cycle = find_cycle(depends)
        if cycle:
            walk: Callable[[str], str] = lambda name: f"`{name}`"  # noqa: E731 - only for the message
            self._problems.add(by_name[cycle[0]].where, f"steps wait for each other: {' → '.join(map(walk, cycle))}")
            return None
        return [by_name[name] for name in ordered(list(by_name), depends)]
