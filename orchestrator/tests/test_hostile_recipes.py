"""Recipes that ask for too much are refused at once, in little memory, while other callers are served."""

import asyncio
import re
import time
import tracemalloc
from pathlib import Path

import grpc
import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import CancelledError, DeadlineExceededError
from lumenmill_common.settings import StoreSettings
from lumenmill_orchestrator.recipe import CheckedRecipe, KnownModel, WorkLimit, check_recipe, limits

from .conftest import LocalMesh, open_mesh
from .recipes import ONE_IMAGE, RELIT_STEP, SMALL
from .stores import minio, stored  # noqa: F401 - fixtures

_KNOWN = {"tiny": KnownModel("tiny")}
_ANY_COUNT = SMALL.replace("max: 100000", "description: any")
_RELIT = RELIT_STEP + "samples:\n"
_EACH_TAG = 'for_each: "${params.tags}"'
_TAGS = ["a"] * 100_000


def _check(text: str, parameters: dict[str, object] | None = None) -> CheckedRecipe:
    """Check a recipe, which must take little time and memory."""
    started_s = time.process_time()
    tracemalloc.start()
    try:
        checked = check_recipe(text, "r.yaml", parameters or {}, _KNOWN)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started_s < 30
    assert peak_bytes < 100 << 20, f"{peak_bytes >> 20} MiB"
    return checked


def _problems(text: str, parameters: dict[str, object] | None = None) -> list[str]:
    return [f"{found.path}: {found.message}" for found in _check(text, parameters).problems]


@pytest.mark.parametrize(
    ("count", "named"),
    [
        ("1000000000000000000", "not 1000000000000000000"),
        ("1000001", "not 1000001"),
        ("1" + 400 * "0", "a number of 401 characters"),
        ("0x" + 60 * "f", "not 17668470647783843295832975"),
        ("-2", "not -2"),
        (".nan", "not nan"),
        (".inf", "not inf"),
        ("1e400", "not inf"),
        ("[1, 2]", "or a parameter"),
    ],
)
def test_a_count_beyond_the_cap_is_named_with_step_and_cap(count: str, named: str) -> None:
    (problem,) = _problems(SMALL.replace("${params.num_sets}", count, 1))
    assert problem.startswith("source.count: ") and named in problem
    assert "1,000,000" in problem or "at most 64" in problem


@pytest.mark.parametrize("number", [10**18, 1e18, 10**400, 1e300])
def test_a_parameter_cannot_carry_a_number_beyond_the_cap(number: float) -> None:
    (problem,) = _problems(_ANY_COUNT, {"num_sets": number})
    assert "must be a whole number from 0 to 1,000,000" in problem or "must lie between" in problem


def test_pipelines_together_keep_the_cap_of_items() -> None:
    body = "\n".join(f"    {line}" for line in ONE_IMAGE[ONE_IMAGE.index("steps:") :].splitlines())
    call = "call: prompter.GeneratePromptSets, model: tiny, with: {brief: {num_img_sets: 1}}, count: 600000"
    pipeline = f"    source: {{{call}, items: '${{result.prompt_sets}}'}}\n" + body.replace(" ${item}", "")
    text = ONE_IMAGE[: ONE_IMAGE.index("source:")] + f"pipelines:\n  one:\n{pipeline}\n  two:\n{pipeline}\n"
    (problem,) = _problems(text)
    assert "1,200,000 items (`one` 600,000, `two` 600,000); at most 1,000,000" in problem


def test_the_executions_of_a_plan_have_a_cap() -> None:
    text = _ANY_COUNT.replace("at_most: ${params.num_lights}", "at_most: 100000")
    (problem,) = _problems(text, {"num_sets": 100_000})
    assert problem.startswith("steps.variant_caption: ")
    assert "10,000,000,000 of `variant_caption`; at most 10,000,000 are allowed" in problem
    found = _problems(_ANY_COUNT.replace("at_most: ${params.num_lights}", "at_most: 1000000000000000000"))
    assert [each.split(":")[0] for each in found] == ["steps.variant_caption.at_most", "steps.change.at_most"]


def test_a_million_items_are_planned_by_arithmetic() -> None:
    when = 'when: {all: [{value: "${item_index}", below: 10.5}, {value: "${item_id}", not_equals: main-000003}]}'
    text = _ANY_COUNT.replace('when: {value: "${params.num_lights}", above: 0}', when)
    planned = {call.name: call.num_executions for call in _check(text, {"num_sets": 1_000_000}).calls}
    assert planned["source"] == 250_000 and planned["image"] == 1_000_000
    assert planned["relit"] == 10, "0 to 10 without 3"
    assert planned["variant_caption"] == 20


def test_conditions_on_lists_by_item_are_planned_exactly() -> None:
    condition = '    when: {value: "${params.wanted[item_index]}", equals: true}\n    with: {subject:'
    text = ONE_IMAGE.replace("    with: {subject:", condition).replace(
        "parameters:\n", 'parameters:\n  wanted: {type: "list[bool]"}\n'
    )
    calls = _check(text, {"tags": ["a"] * 5, "wanted": [True, False, True]}).calls
    assert {call.name: call.num_executions for call in calls} == {"image": 5, "caption": 4}, "unknown ones may apply"


@pytest.mark.parametrize(
    ("variants", "field", "most"),
    [
        (f"{{{_EACH_TAG}, value: {{edit_prompt: '${{each}}'}}}}", "variants", 64),
        (f"[{{light: {{sources: {{{_EACH_TAG}, value: {{area: {{irradiance: 1}}}}}}}}}}]", "sources", 16),
    ],
)
def test_lists_of_parameters_do_not_multiply(variants: str, field: str, most: int) -> None:
    text = ONE_IMAGE.replace("samples:\n", _RELIT.replace("VARIANTS", variants))
    (problem,) = _problems(text, {"tags": _TAGS})
    assert f"`{field}` has at most {most} elements, but `${{params.tags}}` has 100000" in problem


def test_texts_of_parameters_do_not_multiply() -> None:
    text = ONE_IMAGE.replace("${params.prompt} ${item}", "${params.prompt}" * 10_000)
    (problem,) = _problems(text, {"prompt": "x" * 200_000})
    assert "`prompt` cannot be set: it has more than 20000 characters" in problem
    whole = ONE_IMAGE.replace("${params.prompt} ${item}", "${params.prompt}")
    assert "more than 20000 characters" in _problems(whole, {"prompt": "x" * 200_000})[0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[" * 2000, "nested deeper than 64 levels"),
        ("{a: " * 2000, "nested deeper than 64 levels"),
        ("- " * 2000, "nested deeper than 64 levels"),
        ("a: &a [" + "a," * 500 + "]\nb: [" + "*a," * 200 + "]", "more than 50000 values"),
        ("a: &a 1\nb: [" + "*a," * 2000 + "]", "more than 1000 aliases"),
        ("a: " + "b" * 300_000, "has 300000 characters; at most 262144"),
        ("b" * 900 + ": 1", "a key has 900 characters"),
        ("a: '" + "é" * 600_000 + "'", "bytes; at most 1048576"),
        ("a: &a {b: *a}", "no value before this one has the anchor `&a`"),
        ("a: {<<: [1]}", "`<<` needs a mapping"),
        ("a: 1\n---\nb: 1", "a recipe is one document"),
        ("%YAML 1.3\n---\na: 1", "version minor part can only be 2 or 1"),
        ("a: !!int _", "'_' is not of the type"),
        ("a: !!bool b", "'b' is not of the type"),
        ("a: !!set {b}", "the tag `tag:yaml.org,2002:set` is not supported"),
        ("{[a]: 1}", "the key of a mapping must be text"),
        ("a: 0b" + "1" * 80, "a number of 82 characters"),
    ],
)
def test_limits_of_the_text_are_checked_before_anything_is_built(text: str, named: str) -> None:
    (problem,) = _problems(text)
    assert named in problem


def test_paths_of_deep_values_do_not_multiply() -> None:
    keys = "".join(f"{{{'k' * 250}: " for _ in range(60))
    found = _problems(f"{keys}[{'a,' * 15_000}]{'}' * 60}")
    assert "unknown key" in found[0] and all(len(problem) < 2000 for problem in found)


def test_plain_yaml_is_read_as_before() -> None:
    text = ONE_IMAGE.replace("parameters:\n", "parameters:\n  a: &shared {type: int, default: 1_000}\n  b: *shared\n")
    text = text.replace(
        "  tags:", "  c: {<<: *shared, default: 0x1F}\n  d: {type: string, default: 2026-01-01}\n  tags:"
    )
    recipe = check_recipe(text, "r.yaml", {}, _KNOWN).recipe
    assert recipe is not None
    assert {name: recipe.parameters[name] for name in "abcd"} == {"a": 1000, "b": 1000, "c": 31, "d": "2026-01-01"}


def test_a_recipe_has_a_bounded_number_of_problems_and_parts() -> None:
    found = _problems("lumenmill: 1\n" + "".join(f"k{number}: 1\n" for number in range(5000)))
    assert len(found) == limits.MAX_PROBLEMS and "only the first 100" in found[-1]
    assert len(_problems(SMALL, {f"p{number}": 1 for number in range(100_000)})) == limits.MAX_PROBLEMS
    step = "{call: imager.GenerateImages, model: tiny, with: {prompt: a}}"
    steps = "".join(f"  s{number}: {step}\n" for number in range(1000))
    assert "at most 500" in _problems(SMALL.replace("steps:\n", f"steps:\n{steps}"))[0]
    declared = "".join(f"  p{number}: {{type: int}}\n" for number in range(300))
    assert "at most 256" in _problems(SMALL.replace("parameters:\n", f"parameters:\n{declared}"))[0]


@pytest.mark.parametrize("timeout_s", [".nan", ".inf", "1e400", "-1", "2592001"])
def test_timeouts_are_finite(timeout_s: str) -> None:
    text = SMALL.replace("steps:\n  image:\n", f"steps:\n  image:\n    timeout_s: {timeout_s}\n")
    assert any("`timeout_s` is a number of seconds above 0, at most 2592000" in found for found in _problems(text))


@pytest.mark.parametrize("bound", [".nan", ".inf", "1" + 50 * "0" + "e300"])
def test_bounds_of_parameters_are_finite(bound: str) -> None:
    assert any(
        "a bound must be a finite number" in found for found in _problems(SMALL.replace("min: 0", f"min: {bound}"))
    )


def _slow_recipe() -> str:
    """Return a recipe whose plan evaluates 300 conditions for each of many given items."""
    step = "{call: imager.GenerateImages, model: tiny, when: {value: '${item}', equals: b}, with: {prompt: a}}"
    return ONE_IMAGE.replace("steps:\n", "steps:\n" + "".join(f"  s{number}: {step}\n" for number in range(300)))


def test_a_check_ends_with_its_limit() -> None:
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        check_recipe(_slow_recipe(), "r.yaml", {"tags": _TAGS}, _KNOWN, WorkLimit(1.0))
    assert time.monotonic() - started_s < 5
    stopped = WorkLimit()
    stopped.stop()
    with pytest.raises(CancelledError):
        check_recipe(_slow_recipe(), "r.yaml", {"tags": _TAGS}, _KNOWN, stopped)


@pytest.mark.parametrize("rpc", ["PlanRecipe", "SubmitRun"])
async def test_the_deadline_of_a_caller_ends_the_work(mesh: LocalMesh, rpc: str) -> None:
    request_type = run_pb2.PlanRecipeRequest if rpc == "PlanRecipe" else run_pb2.SubmitRunRequest
    request = request_type(recipe=_slow_recipe())
    request.parameters.update({"tags": _TAGS})
    calls = [getattr(mesh.runs, rpc)(request, timeout=2.0) for _ in range(4)]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # Only a recipe whose check has ended leaves its thread to the next one.
    plan = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=SMALL), timeout=10)
    assert plan.steps and not (await mesh.runs.ListRuns(run_pb2.ListRunsRequest())).runs


async def test_other_calls_are_served_while_hostile_recipes_are_checked(mesh: LocalMesh) -> None:
    slow = run_pb2.PlanRecipeRequest(recipe=_slow_recipe())
    slow.parameters.update({"tags": _TAGS})
    large = run_pb2.PlanRecipeRequest(recipe=SMALL)
    large.parameters.update({"numbers": [float(number) for number in range(300_000)]})
    deep = run_pb2.PlanRecipeRequest(recipe="[" * 2000)
    hostile = [mesh.runs.PlanRecipe(each, timeout=20) for each in (slow, large, deep) for _ in range(4)]
    await asyncio.sleep(0)  # the calls begin
    for _ in range(5):
        started_s = time.monotonic()
        await mesh.runs.ListRuns(run_pb2.ListRunsRequest())
        assert time.monotonic() - started_s < 5.0
    for call in hostile:
        call.cancel()
    await asyncio.gather(*hostile, return_exceptions=True)


async def test_a_recipe_beyond_the_caps_is_not_submitted(tmp_path: Path, stored: StoreSettings) -> None:  # noqa: F811
    async with open_mesh(tmp_path, stored=stored) as mesh:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await mesh.submit(_ANY_COUNT, {"num_sets": 1e18})
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert re.search(r"source\.count: .*1,000,000", refused.value.details() or "")
        assert not (await mesh.runs.ListRuns(run_pb2.ListRunsRequest())).runs
