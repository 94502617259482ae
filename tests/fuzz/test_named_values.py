"""Extreme values: rejected with their field or executed, within limits of memory and time."""

from typing import Any

import pytest

from lumenmill.imager.v1 import imager_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2, run_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill.video.v1 import video_pb2

from .call_results import violations_of
from .checked_calls import CheckedCalls, assert_lit, assert_rejected, with_id
from .corpus import RECIPE, key_light, tiny

# Lights.

_SOURCES = "variants[0].light.sources"
_NO_LIGHT = {
    "area of none": {"area": {}},
    "denormal area": {"area": {"irradiance": 1e-45}},
    "neither sun nor sky": {"sun_sky": {"sky_scale": 0, "sun_scale": 0}},
    "no harmonics": {"spherical_harmonics": {"coefficients": [0] * 27}},
    "negative harmonics": {"spherical_harmonics": {"coefficients": ([-1] + [0] * 8) * 3}},
}
_OUT_OF_BOUNDS = {
    "NaN": ({"area": {"irradiance": float("nan")}}, "area.irradiance"),
    "∞": ({"area": {"irradiance": float("inf")}}, "area.irradiance"),
    "10^30": ({"directional": {"irradiance": 1e30}}, "directional.irradiance"),
    "negative": ({"directional": {"irradiance": -1}}, "directional.irradiance"),
    "harmonics of NaN": (
        {"spherical_harmonics": {"coefficients": [float("nan")] * 27}},
        "spherical_harmonics.coefficients[0]",
    ),
    "26 harmonics": ({"spherical_harmonics": {"coefficients": [1] * 26}}, "spherical_harmonics.coefficients"),
    "nothing": ({}, "kind"),
    "as small as nothing": ({"area": {"irradiance": 3, "width_ratio": 1e-40}}, "area.width_ratio"),
    "at distance 0": ({"area": {"irradiance": 3, "distance_ratio": 1e-40}}, "area.distance_ratio"),
    "no map": ({"environment_map": {}}, "environment_map.map"),
    "no picture": ({"background": {"image": {}}}, "background.image.uri"),
}
_EXTREME = {
    "brightest": {"area": {"irradiance": 1e5}},
    "smallest": {"area": {"irradiance": 3, "width_ratio": 1e-3}},
    "inside the subject": {"area": {"irradiance": 3, "distance_ratio": 0.2}},
    "farthest and widest": {"area": {"irradiance": 3, "distance_ratio": 1000, "width_ratio": 1000}},
    "harmonics of 10^38": {"spherical_harmonics": {"coefficients": [3e38] * 27}},
    "harmonics of both signs": {"spherical_harmonics": {"coefficients": [3e38, -3e38, 1e-45] * 9}},
    "no colour": {"area": {"irradiance": 3, "color": {"rgb": {}}}},
    "denormal colour": {"area": {"irradiance": 3, "color": {"rgb": {"red": 1e-45}}}},
    "denormal sun": {"sun_sky": {"sun_elevation_deg": 0, "turbidity": 1e-45, "sun_diameter_deg": 1e-45}},
    "widest parallel light": {"directional": {"irradiance": 3, "angular_diameter_deg": 90}},
}


@pytest.mark.parametrize("name", _NO_LIGHT)
def test_lights_without_radiance_are_rejected(calls: CheckedCalls, name: str) -> None:
    light = {"sources": [_NO_LIGHT[name]]}
    assert_rejected(calls.relight({"light": light}), _SOURCES)
    path = {"interpolation": 1, "keyframes": [{"light": light}, {"light": light, "time_fraction": 1}]}
    assert_rejected(calls.clip(light_path=path), "light_path.keyframes")
    assert calls.caption(requested_light=light).code.name == "OK"


@pytest.mark.parametrize("name", _OUT_OF_BOUNDS)
def test_lights_out_of_bounds_are_rejected(calls: CheckedCalls, name: str) -> None:
    source, field = _OUT_OF_BOUNDS[name]
    assert_rejected(calls.relight({"light": {"sources": [source]}}), f"{_SOURCES}[0].{field}")


@pytest.mark.parametrize("name", _EXTREME)
def test_extreme_lights_give_images(calls: CheckedCalls, name: str) -> None:
    light = {"sources": [_EXTREME[name]]}
    assert_lit(calls, calls.relight({"light": light}))
    maps = [{"kind": 2, "data": calls.corpus.artifacts["normals"]}]
    result = calls.caption(requested_light=light, linear=calls.corpus.artifacts["linear"], intrinsics=maps)
    assert result.code.name == "OK"


# Cameras, seeds, sizes, words.


@pytest.mark.parametrize(
    "viewpoint",
    [
        {"distance_ratio": 0.1},
        {"distance_ratio": 0.1, "elevation_deg": -89},
        {"distance_ratio": 0.1, "focal_length_mm": 800},
        {"distance_ratio": 20, "focal_length_mm": 8},
        {"elevation_deg": 89, "azimuth_deg": 360},
    ],
)
def test_cameras_inside_objects_and_far_away_give_lit_images(calls: CheckedCalls, viewpoint: dict[str, float]) -> None:
    variant = {"light": key_light(), "camera": {"viewpoint": viewpoint}}
    assert_lit(calls, calls.relight(variant))


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"num_frames": 481}, "num_frames"),
        ({"num_frames": 10_001}, "num_frames"),
        ({"fps": 1e-40}, "fps"),
        ({"fps": 241}, "fps"),
        ({"width_px": 2050}, "width_px"),
        ({"height_px": 14}, "height_px"),
        ({"width_px": 33}, "width_px"),
        ({"preset": ".."}, "preset"),
        ({"camera": {"viewpoint": {"distance_ratio": 0}}}, "camera.viewpoint.distance_ratio"),
        ({"camera": {"path": {}}}, "camera.path.move"),
        ({"light": key_light(), "light_path": {"interpolation": 1, "keyframes": [{"light": key_light()}] * 2}}, "light_path"),  # noqa: E501
        ({"light_path": {"interpolation": 1, "keyframes": [{"light": key_light()}] * 2}}, "light_path.keyframes"),
        ({"scene": {"inline_data": b"{}", "media_type": "application/vnd.lumenmill.scene+json"}}, "scene"),
        ({"scene": {}}, "scene"),
    ],
)  # fmt: skip
def test_clips_beyond_the_limits_are_rejected(calls: CheckedCalls, more: dict[str, Any], field: str) -> None:
    result = calls.clip(**more)
    if result.code.name != "FAILED_PRECONDITION":  # an empty scene counts as absent
        assert_rejected(result, field)
    else:
        assert more == {"scene": {}}


@pytest.mark.parametrize("seed", [1 << 63, (1 << 64) - 1])
def test_all_seeds_are_accepted(calls: CheckedCalls, seed: int) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt="a jug", seed=seed, num_images=2, **tiny("id"))
    assert_lit(calls, calls.call("studio", "ImagerService.GenerateImages", with_id(request)))
    brief = {"num_img_sets": 2, "num_videos": 1, "num_video_variants": 1, "first_set_index": seed}
    sets = prompter_pb2.GeneratePromptSetsRequest(brief=brief, seed=seed)
    assert calls.call("prompter", "PrompterService.GeneratePromptSets", with_id(sets)).code.name == "OK"


@pytest.mark.parametrize(
    "request_id", ["", " ", "has spaces", "line\n", "ends with newline\n", "a" * 129, "../x", "\0", "é"]
)
def test_invalid_request_ids_are_rejected(calls: CheckedCalls, request_id: str) -> None:
    request = prompter_pb2.RewritePromptsRequest(prompts=["x"])
    request.job.request_id = request_id
    assert_rejected(calls.call("prompter", "PrompterService.RewritePrompts", request), "job.request_id")


def test_a_request_of_empty_strings_names_all_missing_fields(calls: CheckedCalls) -> None:
    request = imager_pb2.GenerateImagesRequest(prompt="", negative_prompt="", preset="")
    rejected = calls.call("studio", "ImagerService.GenerateImages", request)
    assert {field for field, _ in violations_of(rejected)} == {"job", "prompt"}


def test_a_thousand_long_prompts_are_rewritten_in_time(calls: CheckedCalls) -> None:
    texts = [" ", "a ", ", ", "the image shows ", "🕯", ",;", '"']
    prompts = [(text * 20_000)[:19_999] + "a" for text in texts for _ in range(70)]
    request = prompter_pb2.RewritePromptsRequest(prompts=prompts)
    assert calls.call("prompter", "PrompterService.RewritePrompts", with_id(request)).code.name == "OK"


_RECIPES = {
    "aliases without end": "a: &a [*a]\n",
    "aliases by the billion": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)),
    "merges in a circle": "lumenmill: 1\nname: &n {<<: *n}\n",
    "deep": "[" * 20_000,
    "deep and whole": "[" * 5_000 + "]" * 5_000,
    "tabs": "lumenmill: 1\n\tname: x\n",
    "code": "!!python/object/apply:os.system ['true']\n",
    "half a surrogate pair": RECIPE.replace("model: studio", 'model: "\\ud800"'),
    "an escaped NUL": RECIPE.replace("name: tiny", 'name: "a\\0b"'),
    "half a surrogate pair as a key": RECIPE.replace("  caption:", '  "\\udfff":', 1),
    "a kind that is a list": RECIPE.replace("kind: image", "kind: [image]"),
    "a type that is a mapping": RECIPE.replace("type: int", "type: {int: 1}"),
    "a circle of steps": RECIPE.replace('"${item}"', '"${caption.text}"'),
    "unknown keys": RECIPE.replace("gates:", "gats:"),
    "a name of emoji": RECIPE.replace("name: tiny", f"name: tiny\n{'🕯' * 50}: 1"),
}


@pytest.mark.parametrize("name", _RECIPES)
def test_invalid_recipes_are_reported_with_their_problems(calls: CheckedCalls, name: str) -> None:
    recipe, file = _RECIPES[name], "🕯️" * 500
    planned = calls.call(
        "orchestrator", "RunService.PlanRecipe", run_pb2.PlanRecipeRequest(recipe=recipe, recipe_name=file)
    )
    assert planned.code.name == "OK"
    problems = planned.responses[0].problems
    assert problems and all(problem.message for problem in problems)
    submitted = calls.call(
        "orchestrator", "RunService.SubmitRun", run_pb2.SubmitRunRequest(recipe=recipe, recipe_name=file)
    )
    assert submitted.code.name == "INVALID_ARGUMENT"
    assert all(field.partition(":")[0] in ("recipe", "parameters.width.type") for field, _ in violations_of(submitted))


def test_text_that_is_not_utf8_is_rejected(calls: CheckedCalls) -> None:
    scene = calls.corpus.contents["scene"].replace(b'"default_light":{', b'"default_light":"\\ud800","x":{')
    result = calls.relight({"light": key_light()}, scene={"inline_data": scene})
    assert_rejected(result, "scene")
    frames = calls.corpus.contents["frames"].replace(b'"light": {', b'"light": {"\\ud800": 1, ')
    films = video_pb2.DecomposeVideoRequest(scene=calls.corpus.artifacts["scene"], frames={"inline_data": frames})
    assert_rejected(calls.call("studio", "VideoService.DecomposeVideo", with_id(films)), "frames")


def test_names_with_nul_characters_are_rejected(calls: CheckedCalls) -> None:
    got = calls.call("orchestrator", "RunService.GetRun", run_pb2.GetRunRequest(run_id="a\0b"))
    assert_rejected(got, "run_id")
    samples = calls.call("orchestrator", "RunService.ListSamples", run_pb2.ListSamplesRequest(group_id="\0"))
    assert_rejected(samples, "group_id")
    submitted = run_pb2.SubmitRunRequest(recipe=RECIPE)
    submitted.parameters.update({"prompts": ["a\0b"]})
    result = calls.call("orchestrator", "RunService.SubmitRun", submitted)
    assert violations_of(result)[0][0].startswith("parameters"), result


def test_invalid_page_tokens_are_rejected(calls: CheckedCalls) -> None:
    for token in ("../..", "LTE=", "é", "\0", "f" * 63, "%2e%2e"):
        listed = artifact_service_pb2.ListArtifactsRequest(page_token=token)
        assert_rejected(calls.call("orchestrator", "ArtifactService.ListArtifacts", listed), "page_token")
        runs = run_pb2.ListRunsRequest(page_token=token)
        assert_rejected(calls.call("orchestrator", "RunService.ListRuns", runs), "page_token")
