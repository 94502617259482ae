"""The shipped recipes are valid and run with any registered models."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from lumenmill.common.v1 import model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.settings import StoreSettings

from .conftest import LocalMesh, counts, open_mesh
from .tiny_mesh import TinyFamily

_RECIPES = Path(__file__).parents[2] / "recipes"
_TINY: dict[str, dict[str, Any]] = {
    "demo": {"prompter_model": "tiny", "image_model": "tiny", "captioner_model": "tiny", "num_img_sets": 3},
    "light-groups": {"prompter_model": "tiny", "image_model": "tiny", "captioner_model": "tiny", "num_img_sets": 2},
    "full": dict.fromkeys(
        (
            "prompter_model", "imager_model", "relighter_model", "decomposer_model", "video_decomposer_model",
            "captioner_model", "t2v_model", "i2v_model",
        ),
        "tiny",
    ),
    "prompt-file": {
        **dict.fromkeys(("image_model", "relighter_model", "video_model", "captioner_model"), "tiny"),
        "prompts": [
            "a kettle",
            {
                "image_prompt": "a bowl",
                "relight_prompts": [{"text": "from the left"}, {"text": "from the right"}],
                "motion_prompts": [{"text": "the camera turns"}],
            },
        ],
        "videos": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["demo", "light-groups", "full", "prompt-file"])
async def test_it_runs_to_accepted_samples(mesh: LocalMesh, name: str) -> None:
    photo = mesh.family.picture("a photograph")
    parameters = dict(_TINY[name])
    if name in ("demo", "full"):
        parameters["photos"] = [MessageToDict(photo, preserving_proto_field_name=True)]
    run = await mesh.run((_RECIPES / f"{name}.yaml").read_text(), parameters)
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert not sum(step.num_failed + step.num_rejected + step.num_skipped for step in run.steps)
    samples = await mesh.samples(run_id=run.id)
    assert len(samples) == run.num_samples_accepted > 0
    assert not [sample.id for sample in samples if not sample.caption]


async def test_the_demo_makes_the_requested_samples(mesh: LocalMesh) -> None:
    run = await mesh.run((_RECIPES / "demo.yaml").read_text(), _TINY["demo"])
    samples = await mesh.samples(run_id=run.id)
    images = [sample for sample in samples if sample.kind == run_pb2.SAMPLE_KIND_IMAGE]
    assert len(images) == 3 * (1 + 4)
    assert len({sample.group_id for sample in images}) == 3
    assert counts(run)["groups.camera_clip"].num_accepted == 4


async def test_the_full_recipe_edits_photographs_and_makes_clips_of_them(mesh: LocalMesh) -> None:
    photo = MessageToDict(mesh.family.picture("a photograph"), preserving_proto_field_name=True)
    parameters = {**_TINY["full"], "photos": [photo], "num_img_sets": 0, "num_videos": 0}
    run = await mesh.run((_RECIPES / "full.yaml").read_text(), parameters)
    samples = await mesh.samples(run_id=run.id)
    assert [sample.kind for sample in samples].count(run_pb2.SAMPLE_KIND_CLIP) == 1
    assert len(samples) == 1 + 3 + 1
    assert len({sample.group_id for sample in samples}) == 1


async def test_the_full_recipe_makes_everything_of_photographs_too(mesh: LocalMesh) -> None:
    photo = MessageToDict(mesh.family.picture("a photograph"), preserving_proto_field_name=True)
    texts = {"background_text": "You are terse.", "edit_task_text": "Relight it."}
    parameters = {**_TINY["full"], **texts, "photos": [photo], "num_img_sets": 1, "num_videos": 1}
    run = await mesh.run((_RECIPES / "full.yaml").read_text(), parameters)
    done = {step.name: step.num_accepted for step in run.steps}
    calls = ("maps", "caption", "relit", "variant_maps", "variant_caption", "change", "motion", "clip", "clip_maps")
    assert {call: done[f"photos.{call}"] for call in calls} == {call: done[f"generated.{call}"] for call in calls}
    variants = [sample for sample in await mesh.samples(run_id=run.id) if ".variant." in sample.id]
    assert {sample.instruction for sample in variants} == {"Move the light."}
    assert all({"albedo", "depth"} <= set(sample.media) for sample in variants)
    asked = [request for call, request in mesh.family.requests if call in {"sets", "edits", "motions"}]
    assert {request.brief.background_text for request in asked if hasattr(request, "brief")} == {"You are terse."}
    assert {request.brief.edit_task_text for request in asked if hasattr(request, "brief")} == {"Relight it."}
    others = [request for request in asked if not hasattr(request, "brief")]
    assert {(request.background_text, request.task_text) for request in others} == {("You are terse.", "Relight it.")}
    assert {call for call, _ in mesh.family.requests} > {"sets", "edits", "motions"}


@pytest.mark.parametrize(
    ("kind", "variant", "clip"),
    [
        (model_pb2.TEXT_INPUT_NONE, "", ""),
        (model_pb2.TEXT_INPUT_INSTRUCTION, "edit 0", "move 0"),
        (model_pb2.TEXT_INPUT_DESCRIPTION, "a kettle, lit by light from 0°", "{caption} move 0"),
    ],
)
async def test_models_get_the_kind_of_text_that_they_were_trained_on(
    tmp_path: Path, kind: Any, variant: str, clip: str
) -> None:
    stored = StoreSettings(store_url=f"file://{tmp_path}/store")
    family = TinyFamily(open_store_from(stored))
    family.text_input = kind
    async with open_mesh(tmp_path, stored=stored, family=family) as mesh:
        photo = MessageToDict(family.picture("a photograph"), preserving_proto_field_name=True)
        parameters = {**_TINY["full"], "photos": [photo], "num_relight_variants": 1, "num_img_sets": 1}
        run = await mesh.run((_RECIPES / "full.yaml").read_text(), parameters)
        assert run.state == run_pb2.RUN_STATE_COMPLETED and run.num_samples_accepted == 3 + 3 + 2
        (relit,) = [one for call, one in family.requests if call == "relight" and one.image.sha256 == photo["sha256"]]
        (filmed,) = [one for call, one in family.requests if call == "video" and one.image.sha256 == photo["sha256"]]
        (lit,) = [one for call, one in family.requests if call == "video" and one.HasField("scene")]
        samples = {sample.id.split("-", 1)[1]: sample for sample in await mesh.samples(run_id=run.id)}
    takes_description, takes_words = kind == model_pb2.TEXT_INPUT_DESCRIPTION, kind != model_pb2.TEXT_INPUT_NONE
    caption = next(one.caption for one in samples.values() if one.media["image"].sha256 == photo["sha256"])
    found = {name: one for name, one in samples.items() if "photos" in name}
    by_rule = {name.split(".")[-2]: one for name, one in found.items()}
    assert by_rule["variant"].prompt == variant
    assert by_rule["clips"].prompt == clip.format(caption=caption)
    (asked,) = relit.variants
    assert (asked.description if takes_description else asked.edit_prompt) == variant
    assert not (asked.edit_prompt if takes_description else asked.description)
    assert filmed.prompt == (caption if takes_description else "")
    assert (filmed.motion_prompt, filmed.HasField("camera")) == (("move 0", True) if takes_words else ("", False))
    assert lit.HasField("light_path") == takes_words
    generated = next(one for name, one in samples.items() if "generated" in name and ".clips." in name)
    assert generated.HasField("requested_light") == takes_words


async def test_clips_of_a_prompt_file_are_samples(mesh: LocalMesh) -> None:
    roles = ("image_model", "relighter_model", "video_model", "captioner_model")
    models = dict.fromkeys(roles, "tiny")
    recipe = (_RECIPES / "prompt-file.yaml").read_text()
    for videos, num_clips in ((False, 0), (True, 2)):
        run = await mesh.run(recipe, {**models, "prompts": ["a kettle", "a jug"], "videos": videos})
        samples = await mesh.samples(run_id=run.id)
        assert run.state == run_pb2.RUN_STATE_COMPLETED and len(samples) == run.num_samples_accepted == 2 + num_clips
        clips = [sample for sample in samples if sample.kind == run_pb2.SAMPLE_KIND_CLIP]
        assert sorted(sample.prompt for sample in clips) == (["a jug", "a kettle"] if videos else [])
        assert all({"video", "poster"} <= set(sample.media) and sample.caption for sample in clips)


async def test_prompt_sets_are_relit_and_moved_and_plain_prompts_are_not(mesh: LocalMesh) -> None:
    text, parameters = (_RECIPES / "prompt-file.yaml").read_text(), _TINY["prompt-file"]
    struct = Struct()
    struct.update(parameters)
    planned = await mesh.runs.PlanRecipe(run_pb2.PlanRecipeRequest(recipe=text, parameters=struct))
    assert {step.name: step.num_executions for step in planned.steps} == {
        "image": 2, "caption": 2, "relit": 1, "variant_caption": 2, "clip": 1, "clip_caption": 1, "motion_clip": 2,
        "motion_clip_caption": 2,
    }  # fmt: skip
    samples = await mesh.samples(run_id=(await mesh.run(text, parameters)).id)
    assert sorted(sample.prompt for sample in samples) == [
        "a bowl", "a kettle", "a kettle", "from the left", "from the right", "the camera turns",
    ]  # fmt: skip
