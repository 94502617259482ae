"""Problems of recipes are reported with file, line, path and a remedy."""

import grpc
import pytest

from lumenmill.common.v1 import model_pb2
from lumenmill_orchestrator.recipe import KnownModel, check_recipe

from .conftest import LocalMesh
from .recipes import ONE_IMAGE, SMALL

_KNOWN = {"tiny": KnownModel("tiny")}


def _problems(text: str, parameters: dict[str, object] | None = None) -> list[str]:
    checked = check_recipe(text, "r.yaml", parameters or {}, _KNOWN)
    assert checked.recipe is None
    return [f"{found.line}:{found.column} {found.path}: {found.message}" for found in checked.problems]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("prompt: ${item.image_prompt}\n", "promt: ${item.image_prompt}\n", "did you mean `prompt`?"),
        ("model: tiny\n    with:\n      prompt", "model: tyni\n    with:\n      prompt", "did you mean `tiny`?"),
        ("imager.GenerateImages", "imager.GenerateImage", "did you mean `imager.GenerateImages`?"),
        ("${item.image_prompt}", "${item.image_promt}", "did you mean `image_prompt`?"),
        ("${item.image_prompt}", "${itme.image_prompt}", "did you mean `item`?"),
        ("light: ${item.light}\n", "light: ${item.scene}\n", "but `${item.scene}` is a SceneDescription"),
        ("image: ${image.images[0].image}\n", "image: ${image.images.image}\n", "choose an element with `[0]`"),
        ("seed: ${params.seed}", "seed: many", "`seed` is an int, but this is `many`"),
        ("INTRINSIC_KIND_ALBEDO", "INTRINSIC_KIND_ALBED", "did you mean `INTRINSIC_KIND_ALBEDO`?"),
        ("count: ${params.num_sets}", "count: -1", "must be a whole number from 0 to 1,000,000"),
        ("${params.num_sets}", "${params.sets}", "there is no `sets`"),
        ("lumenmill: 1", "lumenmill: 2", "recipe syntax `2` is not supported"),
        ("kind: image\n", "kind: picture\n", "a sample needs a `kind`"),
        ("for_each: ${relit.variants}\n    at_most", "for_each: ${relit.light_basis}\n    at_most", "must be a list"),
        ("optional: true", "optional: perhaps", "`optional` is true or false"),
        ("prompt: ${item.image_prompt}\n", "prompt: ${item('os').system('x')}\n", "is not a path"),
        ("source:\n  call", "sauce:\n  call", "did you mean `source`?"),
        ("above: \"${params.largest_error_deg}\"", "over: 3", "unknown key `over`"),
        ("above: \"${params.largest_error_deg}\"", "empty: true", "`empty` needs a list, a map or a string"),
        ("reason: direction_off", "reason: 'off: far'", "a gate needs `reason:`, a short word"),
        ("reason: direction_off", "reason: Direction off", "a short word of small letters, digits and `_`"),
        ("reason: direction_off", "reason: direction-off", "a short word of small letters, digits and `_`"),
        ("reason: direction_off", "reason: off\n        when_missing: no", "`when_missing` is `accept` or `reject`"),
        ("INTRINSIC_KIND_ALBEDO", "ALBED", "did you mean `INTRINSIC_KIND_ALBEDO`?"),
        ("      variants:\n", "      display: {exposure: \"${params.word}\"}\n      variants:\n", "`EXPOSURE_GROUP`?"),
        ("record: ${image.", "record: {parameters: 3}\n    camera: ${image.", "`parameters` must be a mapping"),
        ("description: Images", "name: again\ndescription: Images", "duplicate key"),
        ("num_sets: {type: int", "num_sets: {type: integer", "did you mean `int`?"),
    ],
)  # fmt: skip
def test_problems_are_named(old: str, new: str, expected: str) -> None:
    assert old in SMALL
    text = SMALL.replace("parameters:\n", "parameters:\n  word: {type: string, default: GROOP}\n", 1)
    found = _problems(text.replace(old, new, 1))
    assert any(expected in problem for problem in found), found


def test_line_and_path_are_named() -> None:
    text = SMALL.replace("prompt: ${item.image_prompt}\n", "promt: ${item.image_prompt}\n", 1)
    line = next(number for number, content in enumerate(text.splitlines(), 1) if "promt:" in content)
    assert any(found.startswith(f"{line}:") and "steps.image.with.promt" in found for found in _problems(text))


def test_several_problems_are_reported_together() -> None:
    text = SMALL.replace("light: ${item.light}", "lihgt: ${item.light}").replace(
        "call: relighter.Relight", "call: relighter.Dim"
    )
    assert len(_problems(text)) >= 2


def test_a_misspelt_call_is_reported_once() -> None:
    found = _problems(SMALL.replace("imager.GenerateImages", "imager.GenerateImage"))
    assert len(found) == 1 and "did you mean `imager.GenerateImages`?" in found[0], found


_WRONG = {
    "prompt: ${item.image_prompt}\n    caption": "promt: ${item.image_prompt}\n    caption",
    "kind: image\n    group": "kind: picture\n    group",
    "optional: true": "optional: perhaps",
}


@pytest.mark.parametrize(
    ("call", "wrong", "advice"),
    [
        ("prompter.GeneratePromptSets", "prompter.GenerateSets", "did you mean `prompter.GeneratePromptSets`?"),
        ("imager.GenerateImages", "imagr.GenerateImages", "did you mean `imager.GenerateImages`?"),
        ("relighter.Relight", "relighter.Dim", "unknown call `relighter.Dim`"),
        ("captioner.Caption\n", "caption\n", "unknown call `caption`"),
    ],
)
def test_a_wrong_call_does_not_hide_other_problems(call: str, wrong: str, advice: str) -> None:
    text = SMALL.replace(call, wrong, 1)
    found = _problems(text)
    assert len(found) == 1 and advice in found[0], found
    for old, new in _WRONG.items():
        assert old in text
        text = text.replace(old, new, 1)
    found = _problems(text)
    expected = [advice, "did you mean `prompt`?", "a sample needs a `kind`", "`optional` is true or false"]
    assert all(any(each in problem for problem in found) for each in expected), found
    assert len(found) == len(expected), "one problem each, without consequential ones"


def test_the_rest_of_a_step_with_a_wrong_call_is_checked() -> None:
    text = SMALL.replace(
        "captioner.Caption\n    model: tiny\n    with", "captioner.Capt\n    model: tyni\n    timeout_s: 0\n    with"
    )
    found = _problems(text.replace("reason: direction_off", "reason: Off"))
    expected = ["unknown call", "did you mean `tiny`?", "a gate needs `reason:`", "`timeout_s` is a number"]
    assert [next(each for each in expected if each in problem) for problem in found] == expected, found


def test_wrong_declarations_do_not_hide_problems_of_the_graph() -> None:
    text = SMALL.replace("num_lights: {type: int", "num_lights: {type: integer")
    text = text.replace("seed: {type: int, default: 7}", "seed: {type: int, default: seven}")
    found = _problems(text.replace("light: ${item.light}", "lihgt: ${item.light}"), {"num_lights": 3, "seed": 1})
    expected = ["the default of `seed`", "did you mean `int`?", "did you mean `light`?"]
    assert [next(each for each in expected if each in problem) for problem in found] == expected, found


def test_invalid_parameters_do_not_hide_problems_of_the_graph() -> None:
    found = _problems(SMALL.replace("light: ${item.light}", "lihgt: ${item.light}"), {"num_sets": -1})
    assert any("must be at least 0" in problem for problem in found) and any(
        "did you mean `light`" in problem for problem in found
    )
    assert len(found) == 2, "one problem each, without consequential ones"


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ("{type: int, min: 0.5, default: 3}", ""),
        ("{type: float, min: 0.5, default: 3}", ""),
        ("{type: string, min: 1, default: x}", "`min` is for numbers only"),
        ("{type: artifact, max: 1}", "`max` is for numbers only"),
    ],
)
def test_bounds_are_for_numbers_only(declared: str, problem: str) -> None:
    text = SMALL.replace(
        "  seed: {type: int, default: 7}\n", f"  seed: {{type: int, default: 7}}\n  more: {declared}\n"
    )
    found = check_recipe(text, "r.yaml", {}, _KNOWN).problems
    assert [problem in each.message for each in found] == ([True] if problem else [])


def test_a_cycle_is_named() -> None:
    text = SMALL.replace("scene: ${item.scene}", "scene: ${item.scene}\n      negative_prompt: ${caption.text}")
    assert any("steps wait for each other" in problem and "`caption`" in problem for problem in _problems(text))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"num_sets": -1}, "must be at least 0"),
        ({"num_sets": 1.5}, "must be a whole number"),
        ({"num_set": 3}, "did you mean `num_sets`?"),
        ({"largest_error_deg": float("inf")}, "must be a finite number"),
        ({"seed": "x"}, "must be a whole number"),
        ({"seed": True}, "must be a whole number"),
    ],
)
def test_invalid_parameters_are_named(parameters: dict[str, object], expected: str) -> None:
    assert any(expected in problem for problem in _problems(SMALL, parameters))


def test_a_model_without_the_contract_is_reported() -> None:
    model = model_pb2.Model(contracts=["lumenmill.captioner.v1.CaptionerService"])
    checked = check_recipe(ONE_IMAGE, "r.yaml", {}, {"tiny": KnownModel("tiny", model)})
    assert "does not serve `lumenmill.imager.v1.ImagerService`" in checked.problems[0].message


@pytest.mark.parametrize("preset", ["fats", "${params.prompt}"])
def test_an_unknown_preset_is_reported_before_the_run(preset: str) -> None:
    model = model_pb2.Model(contracts=["lumenmill.imager.v1.ImagerService", "lumenmill.captioner.v1.CaptionerService"])
    model.presets.add(name="fast")
    text = ONE_IMAGE.replace("with: {prompt:", f'with: {{preset: "{preset}", prompt:')
    checked = check_recipe(text, "r.yaml", {"prompt": "fats"}, {"tiny": KnownModel("tiny", model)})
    assert [problem.message for problem in checked.problems] == [
        "model `tiny` has no preset `fats`; did you mean `fast`?"
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("duration_s: 6", "`duration_s` is 6; at most 5.06: `tiny` makes 81 frames, here at 16 per second, and cannot"),
        ('duration_s: "${params.seconds}"', "`duration_s` is 9; at most 5.06"),
        ("duration_s: 6, preset: slow", ""),
        ("duration_s: 6, fps: 8", ""),
        ("duration_s: 5.09", ""),
        ('duration_s: 6, preset: "${item}"', ""),
    ],
)
@pytest.mark.parametrize("continues", [False, True])
def test_a_clip_longer_than_its_model_makes_is_reported_before_the_run(
    fields: str, problem: str, continues: bool
) -> None:
    contracts = ["lumenmill.video.v1.VideoService", "lumenmill.captioner.v1.CaptionerService"]
    model = model_pb2.Model(contracts=contracts, continues_clips=continues, limits={"max_num_frames": 81})
    for name, fps in (("balanced", 16), ("slow", 8)):
        model.presets.add(name=name).parameters.update({"fps": fps})
    known = {
        "tiny": KnownModel("tiny", model),
        "long": KnownModel("long", model_pb2.Model(continues_clips=True)),
        "loading": KnownModel("loading"),
    }
    text = ONE_IMAGE.replace("imager.GenerateImages", "video.GenerateVideo").replace("images[0].image}", "video}")
    text = text.replace("parameters:\n", "parameters:\n  seconds: {type: float, default: 9}\n").replace(
        'image: "', 'video: "'
    )
    found = check_recipe(text.replace("with: {prompt:", f"with: {{{fields}, prompt:"), "r.yaml", {}, known).problems
    expected = [] if continues or not problem else [True]
    assert [problem in each.message and each.message.endswith("`long` can") for each in found] == expected, found


@pytest.mark.parametrize(
    "text", ["", "[]", "42", "a: [", "\t", "lumenmill: 1", "&a [*a]", "x: !!python/object/apply:os.system [ls]", "\x00"]
)
def test_any_text_gives_problems(text: str) -> None:
    assert _problems(text)


def test_an_alias_bomb_is_rejected() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert any("values" in problem for problem in _problems("\n".join(lines)))


async def test_submitting_an_invalid_recipe_names_all_problems(mesh: LocalMesh) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await mesh.submit(SMALL.replace("promp", "prom"))
    assert rejected.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "recipe.yaml:" in (rejected.value.details() or "")


async def test_a_plan_has_counts_durations_and_graphs(mesh: LocalMesh) -> None:
    from lumenmill.orchestrator.v1 import run_pb2

    request = run_pb2.PlanRecipeRequest(recipe=SMALL)
    before = await mesh.runs.PlanRecipe(request)
    assert {step.name: step.num_executions for step in before.steps} == {
        "source": 1, "image": 3, "relit": 3, "maps": 3, "caption": 3, "variant_caption": 6, "change": 6,
    }  # fmt: skip
    assert not before.HasField("estimated_time")
    assert before.graph_dot.startswith("digraph") and before.graph_mermaid.startswith("flowchart")
    await mesh.run(SMALL)
    after = await mesh.runs.PlanRecipe(request)
    assert after.HasField("estimated_time")
    assert all(step.HasField("seconds_per_execution") for step in after.steps)
    wrong = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe="name: x", recipe_name="mine.yaml"))
    assert wrong.problems[0].file == "mine.yaml"


@pytest.mark.parametrize("prompt", ["${item", "a picture of ${item", "${item} and ${item"])
def test_a_reference_without_its_end_is_no_text(prompt: str) -> None:
    text = ONE_IMAGE.replace("${item}", prompt)
    assert any("`${` has no closing `}`" in problem for problem in _problems(text)), text


def _lit(source: dict[str, object]) -> dict[str, object]:
    return {"image_prompt": "a kettle", "light": {"sources": [source]}}


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        (["a kettle", 3], "parameter `prompts` at [1] must be a prompt set in JSON form"),
        (
            [{"image_promt": "a kettle"}],
            'parameter `prompts` at [0] is not a prompt set in JSON form: no field named "image_promt"; it has: id, '
            "image_prompt",
        ),
        (["a kettle", " \t"], "at [1] is not a valid prompt set: set `image_prompt` to some words"),
        (["k" * 20001], "at [0] is not a valid prompt set: `image_prompt` is 'kkk"),
        (
            [_lit({"area": {"irradiance": -4}})],
            "parameter `prompts` at [0] is not a valid prompt set: `light.sources[0].area.irradiance` is -4; "
            "must be greater than or equal to 0 and less than or equal to 100000",
        ),
        ([_lit({})], "at [0] is not a valid prompt set: `light.sources[0]` needs one of `environment_map`"),
    ],
)
def test_wrong_prompt_sets_are_named(prompts: list[object], expected: str) -> None:
    text = ONE_IMAGE.replace("parameters:\n", 'parameters:\n  prompts: {type: "list[prompt_set]"}\n')
    assert any(expected in problem for problem in _problems(text, {"prompts": prompts}))


async def test_prompt_sets_are_within_the_bounds_of_the_contract_when_a_run_is_submitted(mesh: LocalMesh) -> None:
    text = ONE_IMAGE.replace("parameters:\n", 'parameters:\n  prompts: {type: "list[prompt_set]"}\n')
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await mesh.submit(text, {"prompts": ["a kettle", _lit({"area": {"azimuth_deg": 1000}})]})
    assert rejected.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "parameters.prompts: " in (found := rejected.value.details() or "")
    assert "at [1] is not a valid prompt set: `light.sources[0].area.azimuth_deg` is 1000" in found


async def test_files_in_prompt_sets_must_be_in_the_store(mesh: LocalMesh) -> None:
    text = ONE_IMAGE.replace("parameters:\n", 'parameters:\n  prompts: {type: "list[prompt_set]"}\n')
    stored = mesh.family.picture("a map")
    digest = stored.sha256
    missing = {"uri": stored.uri.replace(f"{digest[:2]}/{digest}", f"00/{'0' * 64}")}
    light = {"sources": [{"environment_map": {"map": missing}}]}
    with pytest.raises(grpc.aio.AioRpcError) as rejected:
        await mesh.submit(text, {"prompts": ["a kettle", {"image_prompt": "a bowl", "light": light}]})
    assert "parameters.prompts[1]: no artifact 000" in (rejected.value.details() or "")
