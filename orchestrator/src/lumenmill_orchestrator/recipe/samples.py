"""Compiles `samples:`, the rules by which results of steps become samples of the dataset."""

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import artifact_pb2, intrinsics_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.names import is_name, is_role
from lumenmill_orchestrator.recipe.context import PipelineContext
from lumenmill_orchestrator.recipe.document import Located, did_you_mean, shown
from lumenmill_orchestrator.recipe.model import FanOut, SampleRule
from lumenmill_orchestrator.recipe.references import Reference, whole_reference
from lumenmill_orchestrator.recipe.requests import RequestCompiler
from lumenmill_orchestrator.recipe.steps import is_part_name
from lumenmill_orchestrator.recipe.types import TypeKind, ValueType, field_type, message_type, scalar_type, with_article

__all__ = ["compile_samples"]

_FIELDS_SET_BY_ENGINE = frozenset(
    {
        "id",
        "run_id",
        "item_id",
        "step",
        "kind",
        "verdict",
        "reason",
        "group_id",
        "licences",
        "create_time",
        "scene_key",
    }
)
_KINDS = {"image": run_pb2.SAMPLE_KIND_IMAGE, "clip": run_pb2.SAMPLE_KIND_CLIP}
_ARTIFACT = message_type(artifact_pb2.Artifact.DESCRIPTOR)
_GROUP_TYPES = (_ARTIFACT, scalar_type(TypeKind.STRING))
_MAPS = message_type(intrinsics_pb2.IntrinsicMap.DESCRIPTOR).listed()
_LIGHT_ERROR = message_type(captioner_pb2.LightError.DESCRIPTOR)
_CONFIDENCES = field_type(captioner_pb2.LightMeasurement.DESCRIPTOR.fields_by_name["confidences"])
# Keys whose values become scores: the type of the value, and the prefix of the names of the scores.
_SCORED = {
    "light_error": (_LIGHT_ERROR, "light_error_"),
    "measurement_error": (_LIGHT_ERROR, "measurement_error_"),
    "instruction_error": (_LIGHT_ERROR, "instruction_error_"),
    "confidences": (_CONFIDENCES, "confidence_"),
}
_RULE_KEYS = ("for_each", "at_most", "when", "kind", "group", "intrinsics", *_SCORED)


def compile_samples(where: Located | None, context: PipelineContext) -> list[SampleRule]:
    """Compile `samples:`."""
    if where is None:
        return []
    if not where.is_mapping or not where.value:
        context.problems.add(where, "`samples` is a mapping from names to `{kind, media, …}`")
        return []
    for name, body in where.items():
        if not is_part_name(name):
            context.problems.add(
                body, f"`{shown(name)}` cannot name a sample; use letters, digits and `_`, at most 63, no digit first"
            )
    return [_compile_sample(name, body, context) for name, body in where.items()]


def _compile_sample(name: str, body: Located, context: PipelineContext) -> SampleRule:
    if (media := body.get("media")) is not None:
        _check_roles(media, context)
    scoped = context.fan_out(body)
    fan_out = scoped.fan_out
    compiler = RequestCompiler(scoped.types, context.problems)
    fields = compiler.message(_without_rule_keys(body), run_pb2.Sample.DESCRIPTOR, without=_FIELDS_SET_BY_ENGINE)
    if "media" not in fields.given:
        context.problems.add(body, "a sample needs `media`, such as `{image: ${image.images[0].image}}`")
    condition = context.condition(body, compiler)
    intrinsics = _typed_references(body, "intrinsics", compiler, _MAPS, context)
    scored = [
        (prefix, reference)
        for key, (expected, prefix) in _SCORED.items()
        for reference in _typed_references(body, key, compiler, expected, context)
    ]
    group = _group(body, compiler, context)
    references = [*fields.references, *intrinsics, *(reference for _, reference in scored)]
    references += condition.references if condition else ()
    references += [group] if isinstance(group, Reference) else []
    return SampleRule(
        name=name,
        kind=_kind(body, context),
        fields=fields,
        where=body,
        fan_out=fan_out,
        when=condition,
        intrinsics=tuple(intrinsics),
        scored=tuple(scored),
        group=group,
        media_step=_media_step(fields.references, fan_out, context),
        requires=context.requirements(references, fan_out),
        expansion_requires=context.expansion_requirements(fan_out),
    )


def _check_roles(media: Located, context: PipelineContext) -> None:
    """Check the roles of media, those of conditional values too: they become names of files."""
    if media.get("when") is not None:
        for branch in ("value", "otherwise"):
            if (body := media.get(branch)) is not None:
                _check_roles(body, context)
        return
    for role, artifact in media.items():
        if not is_role(role):
            context.problems.add(
                artifact, f"`{shown(role)}` is not a role of media; use small letters, digits and `_`, at most 63"
            )


def _without_rule_keys(body: Located) -> Located:
    """Return only the fields of the Sample message."""
    fields = {key: value for key, value in body.items() if key not in _RULE_KEYS}
    return Located(fields, body.line, body.column, body.path)


def _media_step(references: list[Reference], fan_out: FanOut | None, context: PipelineContext) -> str:
    """Return the step that made the first artifact of a sample."""
    fan_out_step = fan_out.elements.root if fan_out is not None else None
    for reference in references:
        root = fan_out_step if reference.root == "each" else reference.root
        if root in context.step_names and _ARTIFACT.accepts(reference.type):
            return root
    return "source"


def _kind(body: Located, context: PipelineContext) -> "run_pb2.SampleKind.ValueType":
    given = body.get("kind")
    if given is None or not isinstance(given.value, str) or given.value not in _KINDS:
        context.problems.add(given or body, f"a sample needs a `kind`{did_you_mean('', _KINDS)}")
        return run_pb2.SAMPLE_KIND_UNSPECIFIED
    return _KINDS[given.value]


def _typed_references(
    body: Located, key: str, compiler: RequestCompiler, expected: ValueType, context: PipelineContext
) -> list[Reference]:
    given = body.get(key)
    if given is None:
        return []
    found = []
    for entry in given.value if given.is_sequence else [given]:
        path = whole_reference(entry.value)
        reference = compiler.reference(entry, path) if path is not None else None
        if path is None:
            context.problems.add(entry, f"`{key}` must be a reference to {with_article(expected)}")
        elif reference is not None and not expected.accepts(reference.type):
            context.problems.add(
                entry, f"`{key}` needs {with_article(expected)}, but `${{{path}}}` is {with_article(reference.type)}"
            )
        elif reference is not None:
            found.append(reference)
    return found


def _group(body: Located, compiler: RequestCompiler, context: PipelineContext) -> Reference | str | None:
    given = body.get("group")
    if given is None:
        return None
    path = whole_reference(given.value)
    if path is None:
        name = str(given.value)
        if not is_name(name):
            context.problems.add(
                given,
                f"`{shown(name)}` cannot name a group; a name has at most 63 small letters, digits, `_` and `-`, and "
                "begins with a letter or digit",
            )
        return name
    reference = compiler.reference(given, path)
    if reference is not None and not any(expected.accepts(reference.type) for expected in _GROUP_TYPES):
        context.problems.add(
            given, f"`group` needs an artifact or a string, but `${{{path}}}` is {with_article(reference.type)}"
        )
        return None
    return reference
