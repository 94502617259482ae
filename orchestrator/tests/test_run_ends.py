"""How runs end of which calls failed: failed only where failures are all that came of them."""

from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_orchestrator.execution.run_ends import has_only_failures
from lumenmill_orchestrator.storage import StepTotals

from .conftest import LocalMesh, counts, open_mesh
from .recipes import ONE_IMAGE, SMALL

_REFUSED = "INVALID_ARGUMENT: prompt: this word is refused; choose another"
_REFUSING = ONE_IMAGE.replace('"${params.prompt} ${item}"', '"${item}"')


async def test_a_run_whose_only_call_failed_has_failed(mesh: LocalMesh) -> None:
    run = await mesh.run(_REFUSING, {"tags": ["refuse"]})
    assert (run.state, run.num_items_done) == (run_pb2.RUN_STATE_FAILED, 1)
    assert run.error == f"nothing was made; the first failure: {_REFUSED}"
    assert (await mesh.run(_REFUSING, {"tags": ["refuse"]}, run.id)).state == run_pb2.RUN_STATE_FAILED
    assert counts(run)["image"].num_failed == counts(run)["caption"].num_skipped == 1


async def test_a_run_whose_last_step_always_failed_has_failed(mesh: LocalMesh) -> None:
    mesh.family.failures["caption"] = [InvalidArgumentError("media", "no")] * 2
    run = await mesh.run(ONE_IMAGE, {"tags": ["a", "b"]})
    assert run.state == run_pb2.RUN_STATE_FAILED and "media: no" in run.error
    again = await mesh.run(ONE_IMAGE, {"tags": ["a", "b"]})
    assert (again.state, again.error, again.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, "", 2)


async def test_a_run_with_another_sample_or_a_rejection_is_completed(mesh: LocalMesh) -> None:
    some = await mesh.run(_REFUSING, {"tags": ["refuse", "a"]})
    assert (some.state, some.error) == (run_pb2.RUN_STATE_COMPLETED, "")
    mesh.family.failures["image"] = [InvalidArgumentError("prompt", "no")]
    mesh.family.direction_error_deg = 90.0
    gated = await mesh.run(SMALL, {"num_sets": 2, "num_lights": 0})
    assert counts(gated)["image"].num_failed == counts(gated)["caption"].num_rejected == 1
    assert gated.state == run_pb2.RUN_STATE_COMPLETED, "a gate has rejected a result, as the recipe says"


async def test_a_resumed_run_counts_what_was_made_before(tmp_path: Path) -> None:
    async with open_mesh(tmp_path) as mesh:
        mesh.family.step_s = 0.2
        run_id = await mesh.submit(_REFUSING, {"tags": ["a", "refuse"]})
        async for response in mesh.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
            if response.run.num_samples_accepted:
                break
    async with open_mesh(tmp_path) as mesh:
        run = await mesh.ended(run_id)
        assert (run.state, run.num_samples_accepted) == (run_pb2.RUN_STATE_COMPLETED, 1)
        assert counts(run)["image"].num_failed == 1


_NONE = StepTotals()
_MADE, _FAILED, _REJECTED = StepTotals(num_accepted=1), StepTotals(num_failed=1), StepTotals(num_rejected=1)


@pytest.mark.parametrize(
    ("steps", "items", "samples", "has_failed"),
    [
        ([], _NONE, _NONE, False),
        ([_MADE], _MADE, _MADE, False),
        ([_FAILED], _MADE, _FAILED, True),
        ([_MADE, _FAILED], _MADE, _FAILED, True),
        ([_MADE, _FAILED], _MADE, StepTotals(num_accepted=1, num_failed=1), False),
        ([_REJECTED, _FAILED], _MADE, _FAILED, False),
        # Items that failed outside of their steps have no samples.
        ([_MADE], _FAILED, _NONE, True),
        ([_MADE], StepTotals(num_accepted=1, num_failed=1), _MADE, False),
        # Conditions excluded all samples.
        ([_MADE], _MADE, _NONE, False),
        ([_MADE, _FAILED], _MADE, _NONE, False),
        ([_FAILED], _MADE, _NONE, True),
    ],
)
def test_only_failures_fail_a_run(
    steps: list[StepTotals], items: StepTotals, samples: StepTotals, has_failed: bool
) -> None:
    assert has_only_failures(steps, items, samples) is has_failed


_FAN_OUT = """\
lumenmill: 1
name: fan-out
parameters:
  names: {type: "list[string]", default: [one]}
source: {items: "${params.names}"}
steps:
  sets:
    call: prompter.GeneratePromptSets
    model: tiny
    with: {brief: {num_img_sets: 6}}
  image:
    call: imager.GenerateImages
    model: tiny
    for_each: ${sets.prompt_sets}
    with: {prompt: "${each.image_prompt}"}
samples:
  image:
    for_each: ${sets.prompt_sets}
    kind: image
    media: {image: "${image[each_index].images[0].image}"}
"""


@pytest.mark.parametrize(("at_most", "planned", "ended"), [("", 1, 6), ("    at_most: 9\n", 9, 6)])
async def test_totals_of_a_watched_run_do_not_shrink(mesh: LocalMesh, at_most: str, planned: int, ended: int) -> None:
    mesh.family.step_s = 0.3
    call = "    call: imager.GenerateImages\n"
    recipe = _FAN_OUT.replace(call, call + at_most)
    run_id = await mesh.submit(recipe)
    seen = [r.run async for r in mesh.runs.WatchRun(run_pb2.WatchRunRequest(run_id=run_id))]
    totals = [counts(run)["image"].num_total for run in seen]
    assert (totals[0], totals[-1]) == (planned, max(planned, ended))
    assert totals == sorted(totals)
    assert counts(seen[-1])["image"].num_accepted == ended
