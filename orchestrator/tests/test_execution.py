"""Runs from submission to samples."""

import traceback
from typing import Any

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.calls import attempt_heavy
from lumenmill_orchestrator import submission
from lumenmill_orchestrator.execution import active_runs, retrying_call
from lumenmill_orchestrator.recipe import CheckedRecipe, check_recipe

from .conftest import LocalMesh, counts
from .recipes import ONE_IMAGE, SMALL


async def test_a_recipe_becomes_samples(mesh: LocalMesh) -> None:
    run = await mesh.run(SMALL)
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert (run.num_items, run.num_items_done, run.num_samples_accepted) == (3, 3, 9)
    samples = await mesh.samples(run_id=run.id)
    original = next(sample for sample in samples if sample.step == "image")
    assert set(original.media) == {"image", "scene", "albedo", "albedo_preview", "depth", "depth_preview"}
    assert original.caption.startswith("caption of")
    assert original.scores["light_error_direction_deg"] == 5.0
    assert [licence.spdx_id for licence in original.licences] == ["CC0-1.0"]
    group = [sample for sample in samples if sample.group_id == original.group_id]
    assert len(group) == 3
    assert {sample.instruction for sample in group} == {"", "Move the light."}
    assert len({sample.requested_light.text for sample in group}) == 3


async def test_a_list_is_a_source(mesh: LocalMesh) -> None:
    run = await mesh.run(ONE_IMAGE, {"tags": ["red", "blue"]})
    assert run.num_samples_accepted == 2


async def test_the_second_run_reuses_everything(mesh: LocalMesh) -> None:
    await mesh.run(SMALL)
    done = mesh.family.num_done.total()
    run = await mesh.run(SMALL)
    assert run.num_samples_accepted == 9
    assert mesh.family.num_done.total() == done
    assert all(step.num_reused == step.num_accepted > 0 for step in run.steps)
    assert counts(run)["relit"].num_reused == 3


async def test_a_submitted_recipe_is_compiled_once(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def counted(text: str, *arguments: Any) -> CheckedRecipe:
        compiled.append(text)
        return check_recipe(text, *arguments)

    for module in (active_runs, submission):
        monkeypatch.setattr(module, "check_recipe", counted)
    await mesh.run(SMALL)
    assert compiled == [SMALL]


async def test_a_call_is_four_frames_deep(mesh: LocalMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    depths: list[int] = []

    async def measured(*arguments: Any, **options: Any) -> Any:
        names = [frame.name for frame in reversed(traceback.extract_stack())]
        depths.append(names.index("compute") + 1)  # this function calls the stub
        return await attempt_heavy(*arguments, **options)

    monkeypatch.setattr(retrying_call, "attempt_heavy", measured)
    await mesh.run(ONE_IMAGE)
    assert set(depths) == {4}
