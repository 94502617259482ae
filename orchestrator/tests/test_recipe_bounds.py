"""What a recipe fixes before the run is checked against the bounds of the contracts, with or without a mesh."""

import pytest

from lumenmill_orchestrator.recipe import KnownModel, check_recipe

from .recipes import ONE_IMAGE, RELIT_STEP, SMALL

_KNOWN = {"tiny": KnownModel("tiny")}
_RELIT = (
    RELIT_STEP
    + """\
  each_caption:
    call: captioner.Caption
    model: tiny
    for_each: ${relit.variants}
    with: {subject: {media: "${each.image}"}}
samples:
"""
)
_EACH_IMAGE = """\
    for_each: ${image.images}
    with: {subject: {media: "${each.image}"}}"""
_TWO_LIGHTS = "[{light: {sources: [LIGHT]}}, {edit_prompt: '${item}'}]"


def _problems(text: str, parameters: dict[str, object] | None = None) -> list[str]:
    found = check_recipe(text, "r.yaml", parameters or {}, _KNOWN).problems
    return [f"{problem.path}: {problem.message}" for problem in found]


def _relit(variants: str) -> str:
    return ONE_IMAGE.replace("samples:\n", _RELIT.replace("VARIANTS", variants))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("num_images: 65", "steps.image.with.num_images: `num_images` must be greater than or equal to 0 and less"),
        ("sampling: {num_steps: 0}", "steps.image.with.sampling.num_steps: `num_steps` must be"),
        (
            "camera: {viewpoint: {azimuth_deg: 900}}",
            "camera.viewpoint.azimuth_deg: `azimuth_deg` must",
        ),
        ("adapters: [{scale: 1}]", "steps.image.with.adapters[0]: `weights` is required"),
        ("light: {sources: [{}]}", "steps.image.with.light.sources[0]: needs one of `environment_map`"),
        ("unknown_words: 2", "`unknown_words` is an UnknownWords, which has no `2`"),
    ],
)
def test_constants_out_of_bounds_are_reported_where_they_stand(fields: str, expected: str) -> None:
    found = _problems(ONE_IMAGE.replace("with: {prompt:", f"with: {{{fields}, prompt:"))
    assert len(found) == 1 and expected in found[0], found


def test_bounds_hold_for_lists_and_whole_messages() -> None:
    kinds = SMALL.replace("[INTRINSIC_KIND_ALBEDO, INTRINSIC_KIND_DEPTH]", "[ALBEDO, ALBEDO]")
    assert _problems(kinds) == ["steps.maps.with.kinds: `kinds` must contain unique items"]
    assert _problems(_relit("[]")) == [
        "steps.relit.with.variants: `variants` must contain at least 1 item(s)",
    ]
    assert _problems(_relit("[{}]")) == [
        "steps.relit.with.variants[0]: set `light`, `camera`, `environment`, or `edit_prompt` or `description` to "
        "some words"
    ]
    without_request = ONE_IMAGE.replace('    with: {subject: {media: "${image.images[0].image}"}}\n', "")
    assert _problems(without_request) == ["steps.caption: `subject` is required"]


def test_two_members_of_a_oneof_exclude_each_other() -> None:
    light = "{area: {irradiance: 4}, sun_sky: {sun_elevation_deg: 10}}"
    assert _problems(_relit(_TWO_LIGHTS.replace("LIGHT", light))) == [
        "steps.relit.with.variants[0].light.sources[0].sun_sky: `sun_sky` and `area` exclude each other"
    ]


def test_a_rule_on_several_fields_is_checked_when_all_of_them_are_known() -> None:
    clip = ONE_IMAGE.replace("imager.GenerateImages", "video.GenerateVideo")
    clip = clip.replace("${image.images[0].image}", "${image.video}")
    both = clip.replace("with: {prompt:", "with: {num_frames: 5, duration_s: 2, prompt:")
    assert not _problems(clip)
    assert _problems(both) == ["steps.image.with: set `num_frames` or `duration_s`, not both"]


def test_parameters_are_checked_where_they_are_used() -> None:
    text = ONE_IMAGE.replace("parameters:\n", "parameters:\n  number: {type: int, default: 4}\n")
    text = text.replace("with: {prompt:", 'with: {num_images: "${params.number}", prompt:')
    assert not _problems(text)
    assert "`num_images` must be" in _problems(text, {"number": 65})[0]
    assert (
        "`num_images` must lie between -2147483648 and 2147483647, and is 1099511627776"
        in (_problems(text, {"number": 2**40})[0])
    )
    assert _problems(text, {"number": "many"}) == ["parameters.number: parameter `number` must be a whole number"]
    skipped = text.replace("    with: {num", '    when: {value: "${params.number}", below: 9}\n    with: {num')
    assert not _problems(skipped, {"number": 65}), "the step is not executed"


def test_what_depends_on_results_is_left_to_the_run() -> None:
    assert not _problems(SMALL)
    assert not _problems(_relit(_TWO_LIGHTS.replace("LIGHT", "{area: {irradiance: 4}}")))


def test_without_a_mesh_all_but_the_models_is_checked() -> None:
    models = 'instruction: "${models.any.name} ${models[params.prompt].name}", subject:'
    text = ONE_IMAGE.replace("with: {subject:", f"with: {{{models}")
    checked = check_recipe(text.replace("model: tiny", "model: any"), "r.yaml", {}, None)
    assert checked.recipe is not None, checked.problems
    wrong = check_recipe(text.replace("captioner.Caption", "captioner.Capture"), "r.yaml", {}, None)
    assert "did you mean `captioner.Caption`?" in wrong.problems[0].message


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeff"])
def test_an_empty_recipe_is_called_empty(text: str) -> None:
    (problem,) = check_recipe(text, "mine.yaml", {}, _KNOWN).problems
    assert problem.file == "mine.yaml" and problem.message.startswith("the file is empty")


@pytest.mark.parametrize(
    ("variants", "parameters", "executions"),
    [
        (_TWO_LIGHTS.replace("LIGHT", "{area: {irradiance: 4}}"), {}, 2),
        (_TWO_LIGHTS.replace("LIGHT", "{area: {irradiance: 4}}"), {"tags": ["one", "two", "three"]}, 6),
        ('{for_each: "${params.tags}", value: {edit_prompt: "${each}"}}', {"tags": ["one", "two", "three"]}, 9),
        ('[{edit_prompt: a}, {edit_prompt: b}, {edit_prompt: c}]\n    when: {value: "${item}", equals: two}', {}, 0),
    ],
)
def test_a_plan_counts_lists_that_are_known(variants: str, parameters: dict[str, object], executions: int) -> None:
    checked = check_recipe(_relit(variants), "r.yaml", parameters, _KNOWN)
    assert checked.recipe is not None, checked.problems
    planned = {call.name: call.num_executions for call in checked.calls}
    assert planned["each_caption"] == executions


@pytest.mark.parametrize(("number", "executions"), [("3", 3), ('"${params.number}"', 2), ("0", 1)])
def test_a_plan_counts_the_images_that_a_request_asks_for(number: str, executions: int) -> None:
    text = ONE_IMAGE.replace("parameters:\n", "parameters:\n  number: {type: int, default: 2}\n")
    text = text.replace("with: {prompt:", f"with: {{num_images: {number}, prompt:").replace(
        "${caption.", "${caption[0]."
    )
    text = text.replace('    with: {subject: {media: "${image.images[0].image}"}}', _EACH_IMAGE)
    checked = check_recipe(text, "r.yaml", {}, _KNOWN)
    assert checked.recipe is not None, checked.problems
    assert checked.calls[1].num_executions == executions


def test_a_plan_counts_the_elements_of_a_parameter() -> None:
    captions = 'for_each: "${params.tags}"\n    with: {instruction: "${each}", subject:'
    text = ONE_IMAGE.replace("with: {subject:", captions).replace("${caption.text}", "${caption[0].text}")
    for at_most, executions in (("", 4), ("    at_most: 1\n", 2)):
        limited = text.replace("    with: {instruction", f"{at_most}    with: {{instruction")
        checked = check_recipe(limited, "r.yaml", {"tags": ["one", "two"]}, _KNOWN)
        assert checked.recipe is not None, checked.problems
        assert checked.calls[1].num_executions == executions
