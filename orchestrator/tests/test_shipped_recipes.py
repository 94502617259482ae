"""The shipped recipes are valid and run with any registered models."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from lumenmill.orchestrator.v1 import run_pb2

from .conftest import LocalMesh, counts

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
}  # fmt: skip


@pytest.mark.parametrize("name", ["demo", "light-groups", "full"])
async def test_it_runs_to_accepted_samples(mesh: LocalMesh, name: str) -> None:
    photo = mesh.family.picture("a photograph")
    parameters = dict(_TINY[name])
    if name != "light-groups":
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
