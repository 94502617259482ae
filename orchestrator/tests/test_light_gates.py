"""The gates of the shipped recipes: wrong light, texts that lie and lights that could not arrive are rejected."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill.orchestrator.v1 import run_pb2

from .conftest import LocalMesh, counts

_RECIPES = Path(__file__).parents[2] / "recipes"
_TINY: dict[str, Any] = {
    "prompter_model": "tiny", "image_model": "tiny", "captioner_model": "tiny", "num_img_sets": 1,
    "num_relight_variants": 3,
}  # fmt: skip
_ACCEPTED, _REJECTED = run_pb2.VERDICT_ACCEPTED, run_pb2.VERDICT_REJECTED


async def _images(mesh: LocalMesh, recipe: str, **more: Any) -> list[run_pb2.Sample]:
    run = await mesh.run((_RECIPES / f"{recipe}.yaml").read_text(), _TINY | more)
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert not sum(step.num_failed for step in run.steps)
    return [sample for sample in await mesh.samples(run_id=run.id) if sample.kind == run_pb2.SAMPLE_KIND_IMAGE]


_WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"contradictions": ["The caption says warm, but 6500 K arrived."]},
        "contradiction: The caption says warm, but 6500 K arrived.",
    ),
    (
        {"requested_attributes": {"azimuth_deg": -45}, "error": {"direction_deg": 83.21}},
        "direction_off: error.direction_deg is 83.21, above 40",
    ),
    (
        {"requested_attributes": {"hardness": 0.9}, "error": {"hardness": 0.7}},
        "hardness_off: error.hardness is 0.7, above 0.3",
    ),
    (
        {"requested_attributes": {"color_temperature_k": 3000}, "error": {"color_temperature_mired": -150}},
        "color_off: error.color_temperature_mired is -150, beyond ±60",
    ),
    (
        {"requested_attributes": {"intensity_ev": 0}, "error": {"intensity_ev": -13.7}},
        "intensity_off: error.intensity_ev is -13.7, beyond ±2.5",
    ),
]


@pytest.mark.parametrize("recipe", ["demo", "light-groups"])
async def test_wrong_light_and_lies_are_rejected_with_their_values(mesh: LocalMesh, recipe: str) -> None:
    for seed, (caption, reason) in enumerate(_WRONG):
        mesh.family.caption_result = ParseDict(caption, captioner_pb2.CaptionResult())
        images = await _images(mesh, recipe, seed=seed)
        assert len(images) == 4
        assert {(image.verdict, image.reason) for image in images} == {(_REJECTED, reason)}


async def test_light_that_is_not_known_is_not_wrong(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = None
    ParseDict({"requested_attributes": {"azimuth_deg": -45}}, mesh.family.caption_result)
    assert {image.verdict for image in await _images(mesh, "demo")} == {_ACCEPTED}
    images = await _images(mesh, "demo", when_unmeasured="reject")
    assert {image.reason for image in images} == {"direction_off_unknown: error.direction_deg is missing"}
    mesh.family.caption_result.ClearField("requested_attributes")
    originals = [
        image for image in await _images(mesh, "demo", when_unmeasured="reject", seed=8) if not image.instruction
    ]
    assert {image.verdict for image in originals} == {_ACCEPTED}, "a direction that nobody requested is not missing"


async def test_an_instruction_that_leads_elsewhere_is_rejected(mesh: LocalMesh) -> None:
    mesh.family.compare_result.instruction_error.intensity_ev = -9
    images = await _images(mesh, "light-groups")
    reasons = sorted(image.reason for image in images)
    assert reasons == ["", *["instruction_off: instruction_error.intensity_ev is -9, beyond ±1.2"] * 3]


@pytest.mark.parametrize("recipe", ["demo", "light-groups"])
async def test_an_instruction_that_leaves_a_difference_is_rejected_with_it(mesh: LocalMesh, recipe: str) -> None:
    problem = "The instruction leads to light of 5000 K, but the light is of the hue red."
    mesh.family.compare_result.instruction_problems.append(problem)
    reasons = sorted(image.reason for image in await _images(mesh, recipe))
    assert reasons == ["", *[f"instruction_off: {problem}"] * 3]


@pytest.mark.parametrize("recipe", ["demo", "light-groups"])
async def test_light_from_a_side_that_arrives_evenly_is_rejected(mesh: LocalMesh, recipe: str) -> None:
    mesh.family.direction_error_deg = None
    result = {"requested_attributes": {"azimuth_deg": -45}, "measurement_error": {}}
    ParseDict(result, mesh.family.caption_result)
    images = await _images(mesh, recipe)
    assert {image.verdict for image in images} == {_REJECTED}
    assert {image.reason.partition(":")[0] for image in images} == {"direction_lost"}


@pytest.mark.parametrize("recipe", ["demo", "light-groups"])
async def test_light_of_a_temperature_that_arrives_in_another_hue_is_rejected(mesh: LocalMesh, recipe: str) -> None:
    result = {"requested_attributes": {"color_temperature_k": 5000}, "measurement_error": {}}
    ParseDict(result, mesh.family.caption_result)
    images = await _images(mesh, recipe, when_unmeasured="reject")
    assert {image.verdict for image in images} == {_REJECTED}
    assert {image.reason.partition(":")[0] for image in images} == {"color_lost"}


async def test_a_clip_that_no_light_reaches_is_rejected(mesh: LocalMesh) -> None:
    for seed, arrived in enumerate((light_pb2.ArrivedLight(), None)):
        mesh.family.arrived = arrived
        run = await mesh.run((_RECIPES / "demo.yaml").read_text(), _TINY | {"num_clip_sets": 1, "seed": seed})
        clips = [each for each in await mesh.samples(run_id=run.id) if each.kind == run_pb2.SAMPLE_KIND_CLIP]
        dark = "no_light_arrived: arrived_light[0].light.sources is empty"
        assert clips and {clip.reason for clip in clips} == {dark if arrived is not None else ""}


async def test_a_variant_that_cannot_be_lit_is_rejected_and_its_siblings_live(mesh: LocalMesh) -> None:
    mesh.family.refusals = {1: "The strongest source is behind the back wall."}
    images = {image.id.partition(".")[2]: image for image in await _images(mesh, "light-groups")}
    refused = images.pop("main-000000.variant.1")
    assert (refused.verdict, refused.reason) == (
        _REJECTED, "light_refused: The strongest source is behind the back wall.",
    )  # fmt: skip
    assert "image" not in refused.media and refused.requested_light.text == "light from -40°"
    assert {image.verdict for image in images.values()} == {_ACCEPTED} and len(images) == 3
    assert mesh.family.num_done["caption"] == 3 and mesh.family.num_done["compare"] == 2, "nothing is asked of no image"
    lineage = await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=refused.id))
    assert "relit" in [execution.step for execution in lineage.executions]


async def test_a_light_of_which_nothing_arrives_is_rejected(mesh: LocalMesh) -> None:
    mesh.family.arrived = light_pb2.ArrivedLight()
    images = await _images(mesh, "demo")
    assert sorted(image.reason for image in images) == [
        "",
        *["no_light_arrived: each.arrived_light.sources is empty"] * 3,
    ]


async def test_rejections_before_a_call_are_counted(mesh: LocalMesh) -> None:
    mesh.family.refusals = {0: "no"}
    run = await mesh.run((_RECIPES / "light-groups.yaml").read_text(), _TINY)
    assert counts(run)["variant_caption"].num_rejected == 1 and counts(run)["variant_caption"].num_accepted == 2
    assert (run.num_samples_accepted, run.num_samples_rejected) == (3, 1)


async def test_captions_get_what_was_built_and_the_requested_light_of_the_request(mesh: LocalMesh) -> None:
    """Also where a model states no light of its own, which then has errors too."""
    mesh.family.states_light = False
    await _images(mesh, "demo")
    stills = [subject for subject in mesh.family.subjects if subject.media.media_type == "image/png"]
    assert {subject.built_scene.description for subject in stills} == {"a kettle as built"}
    requested = {subject.requested_light.text for subject in stills}
    assert requested == {"light from 10°", "light from -80°", "light from -40°", "light from 0°"}
