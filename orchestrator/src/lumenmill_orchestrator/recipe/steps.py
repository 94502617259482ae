"""Compiles the steps of a pipeline: each one's call, model, request, gates and requirements."""

import re
from collections.abc import Mapping

from lumenmill_orchestrator.contracts import Method, heavy_methods
from lumenmill_orchestrator.recipe.context import PipelineContext
from lumenmill_orchestrator.recipe.document import WRONG, Located, did_you_mean, shown
from lumenmill_orchestrator.recipe.durations import duration_problem
from lumenmill_orchestrator.recipe.gates import compile_gates
from lumenmill_orchestrator.recipe.limits import MAX_TIMEOUT_S
from lumenmill_orchestrator.recipe.model import FanOut, Step
from lumenmill_orchestrator.recipe.references import whole_reference
from lumenmill_orchestrator.recipe.requests import MessageBuilder, RequestCompiler
from lumenmill_orchestrator.recipe.types import UNRESOLVED, ValueType, message_type

__all__ = ["compile_call", "compile_steps", "is_part_name"]

_STEP_KEYS = ("call", "model", "with", "for_each", "at_most", "when", "input_gates", "gates", "optional", "timeout_s")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_RESERVED = frozenset(
    {"params", "models", "item", "item_index", "item_id", "each", "each_index", "result", "batch", "source"}
)


def is_part_name(name: str) -> bool:
    """Return whether a text can name a step or a rule for samples; it becomes part of the ids of samples."""
    return _NAME.fullmatch(name) is not None


def compile_steps(where: Located | None, context: PipelineContext) -> list[Step]:
    """Compile `steps:`; steps with problems are left out."""
    if where is None:
        return []
    if not where.is_mapping:
        context.problems.add(where, "`steps` is a mapping from names to `{call, model, with}`")
        return []
    _declare(where, context)
    steps = [_compile_step(name, body, context) for name, body in where.items() if name in context.step_names]
    return [step for step in steps if step is not None]


def _declare(where: Located, context: PipelineContext) -> None:
    """Declare the name and result type of every step before any reference is read, so that order does not matter."""
    for name, body in where.items():
        if not is_part_name(name) or name in _RESERVED:
            context.problems.add(
                body,
                f"`{shown(name)}` cannot name a step; use letters, digits and `_`, at most 63, none of "
                f"{sorted(_RESERVED)}",
            )
            continue
        call = body.get("call")
        method = heavy_methods().get(str(call.value)) if call is not None else None
        context.step_names.add(name)
        # An unknown call is reported once, where the step is compiled.
        result = UNRESOLVED if method is None else message_type(method.result)
        if body.get("for_each") is not None:
            context.fan_out_steps.add(name)
            result = result if method is None else result.listed()
        context.types[name] = result


def _compile_step(name: str, body: Located, context: PipelineContext) -> Step | None:
    if not body.is_mapping:
        context.problems.add(body, "a step is a mapping with `call`, `model` and `with`")
        return None
    context.problems.unknown_keys(body, _STEP_KEYS)
    scoped = context.fan_out(body)
    return compile_call(name, body, scoped.types, context, scoped.fan_out)


def compile_call(
    name: str,
    body: Located,
    types: Mapping[str, ValueType],
    context: PipelineContext,
    fan_out: FanOut | None = None,
) -> Step | None:
    """Compile one call, of a step or of a source; None when the RPC is unknown, after checking all but its request."""
    context.problems.limit.check()
    method = _method(body, context)
    model = _model(body, method, context)
    condition = context.condition(body, RequestCompiler(types, context.problems))
    is_executed = condition is None or condition.holds(context.scope, frozenset({"params"})) is not False
    compiler = RequestCompiler(types, context.problems, context.scope, checks_parameters=is_executed)
    result = UNRESOLVED if method is None else message_type(method.result)
    request = None if method is None else _request(body, method, model, compiler, context)
    gate_compiler = RequestCompiler({**types, "result": result}, context.problems)
    input_gates = compile_gates(body, "input_gates", compiler, context.problems, context.constant)
    gates = compile_gates(body, "gates", gate_compiler, context.problems, context.constant)
    optional, timeout_s = _flag(body, "optional", context), _timeout_s(body, context)
    if method is None or request is None:
        return None
    references = [*request.references, *(condition.references if condition else ())]
    references += [reference for gate in (*input_gates, *gates) for reference in gate.condition.references]
    return Step(
        name=name,
        method=method,
        model_name=model,
        request=request,
        where=body,
        fan_out=fan_out,
        when=condition,
        input_gates=input_gates,
        gates=gates,
        optional=optional,
        requires=context.requirements(references, fan_out),
        expansion_requires=context.expansion_requirements(fan_out),
        timeout_s=timeout_s,
    )


def _request(
    body: Located, method: Method, model: str, compiler: RequestCompiler, context: PipelineContext
) -> MessageBuilder:
    """Compile `with:`, and check what it asks of the model."""
    given = body.get("with") or Located({}, body.line, body.column, body.path)
    request = compiler.message(given, method.request, without=frozenset({"job"}))
    _check_preset(body, model, context)
    if problem := duration_problem(request, model, context.models or {}):
        context.problems.add(given.get("duration_s") or given, problem)
    return request


def _method(body: Located, context: PipelineContext) -> Method | None:
    given = body.get("call")
    word = "" if given is None else str(given.value)
    method = heavy_methods().get(word)
    if method is None:
        problem = f"unknown call `{word}`" if given is not None else "needs a `call`, such as `relighter.Relight`"
        context.problems.add(given or body, f"{problem}{did_you_mean(word, heavy_methods())}")
    return method


def _model(body: Located, method: Method | None, context: PipelineContext) -> str:
    given, value = body.get("model"), context.constant(body, "model")
    if value is WRONG:
        return ""
    if given is None or not isinstance(value, str):
        known_names = "" if context.models is None else did_you_mean("", context.models)
        context.problems.add(given or body, f"needs a `model`{known_names}")
        return ""
    if context.models is None:
        return value
    known = context.models.get(value)
    if known is None:
        context.problems.add(given, f"no model `{value}` is registered{did_you_mean(value, context.models)}")
    elif method is not None and known.model is not None and method.contract not in known.model.contracts:
        served = ", ".join(f"`{contract}`" for contract in known.model.contracts) or "none"
        context.problems.add(given, f"model `{value}` does not serve `{method.contract}`; it serves {served}")
    return value


def _check_preset(body: Located, model: str, context: PipelineContext) -> None:
    """Check that a preset that is known before the run is one of the model's."""
    given, known = body.get("with"), (context.models or {}).get(model)
    where = given.get("preset") if given is not None and given.is_mapping else None
    if where is None or known is None or known.model is None:
        return
    path = whole_reference(where.value)
    if path is not None and not path.startswith("params."):
        return
    preset = where.value if path is None else context.constant(given, "preset") if given is not None else None
    names = [each.name for each in known.model.presets]
    if isinstance(preset, str) and preset and "${" not in preset and preset not in names:
        context.problems.add(where, f"model `{model}` has no preset `{preset}`{did_you_mean(preset, names)}")


def _flag(body: Located, key: str, context: PipelineContext) -> bool:
    given = body.get(key)
    if given is not None and not isinstance(given.value, bool):
        context.problems.add(given, f"`{key}` is true or false")
    return given is not None and given.value is True


def _timeout_s(body: Located, context: PipelineContext) -> float | None:
    value = context.constant(body, "timeout_s")
    if value is None or value is WRONG:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_TIMEOUT_S:
        context.problems.add(
            body.value["timeout_s"], f"`timeout_s` is a number of seconds above 0, at most {MAX_TIMEOUT_S:.0f}"
        )
        return None
    return float(value)
