"""Calls of steps: equal ones are made once, siblings of one that raises are cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.item import Item, ItemExecution
from lumenmill_orchestrator.execution.resume_state import ResumeState
from lumenmill_orchestrator.execution.step_call import StepCall, StepInstance, build_request
from lumenmill_orchestrator.execution.step_executor import StepExecutor
from lumenmill_orchestrator.recipe import KnownModel, check_recipe
from lumenmill_orchestrator.storage import ExecutionStore, ResultReader, engine_url, make_engine

from .conftest import LocalMesh
from .pods import open_pods, open_queues
from .recipes import ONE_IMAGE, SMALL

_FANNED_OUT = """\
lumenmill: 1
name: fanned-out
parameters:
  tags: {type: "list[string]", default: [a, b, c]}
source: {items: "${params.tags}"}
steps:
  image:
    call: imager.GenerateImages
    model: tiny
    for_each: ${params.tags}
    with: {prompt: "${each}"}
samples:
  image:
    for_each: ${image}
    kind: image
    media: {image: "${each.images[0].image}"}
"""


def _run(recipe: str) -> ActiveRun:
    checked = check_recipe(recipe, "recipe.yaml", {}, {"tiny": KnownModel("tiny", None)})
    assert checked.recipe is not None, checked.problems
    run = ActiveRun("run", "", 0, checked.recipe)  # type: ignore[arg-type]  # JobPriority
    run.unpaused.set()
    return run


async def test_an_equal_call_shares_a_result_until_it_is_stored(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        pod = await pods.start()
        async with open_queues(pods) as (mesh, queues):
            engine = make_engine(engine_url(f"sqlite:///{tmp_path}/mesh.sqlite"))
            executor = StepExecutor(mesh, queues, ResultReader(ExecutionStore(engine)), 60.0)
            run = _run(ONE_IMAGE)
            pipeline = run.recipe.pipelines[0]
            scope = {**run.recipe.base_scope(), "item": "one", "item_index": 0, "item_id": "one"}
            request = build_request(run, pipeline, pipeline.steps[0], scope, 0, "image", 0)
            instance = StepInstance(run, "one", pipeline.steps[0], "image", 0)
            call = StepCall(instance, request, run.place(0), may_have_started=False)
            async with executor.compute(call) as first, executor.compute(call) as second:
                assert (first.reused, second.reused, first.result) == (False, True, second.result)
            assert pod.num_images == 1
            engine.dispose()


class _FailingExecutor:
    """The first instance of a step raises while the others run."""

    def __init__(self) -> None:
        self.num_cancelled = 0

    @contextlib.asynccontextmanager
    async def compute(self, call: StepCall) -> AsyncIterator[None]:
        try:
            await asyncio.sleep(0.02 if call.instance.index == 0 else 60.0)
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise
        raise RuntimeError("broken")
        yield


async def test_an_instance_that_raises_cancels_its_siblings() -> None:
    run = _run(_FANNED_OUT)
    executor: Any = _FailingExecutor()
    writer: Any = None  # nothing is written
    execution = ItemExecution(Item(run, run.recipe.pipelines[0], 0, "a"), executor, writer, ResumeState({}, {}))
    with pytest.raises(ExceptionGroup):
        await execution.execute()
    assert executor.num_cancelled == 2


async def test_a_sample_of_a_fan_out_has_the_most_severe_verdict_behind_it(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = 90.0
    mesh.family.failures["relight"] = [InvalidArgumentError("scene", "is not nice")]
    recipe = SMALL.replace("caption: ${variant_caption[each_index].text}", "caption: ${caption.text}")
    run = await mesh.run(recipe, {"num_sets": 1})
    (variant,) = [sample for sample in await mesh.samples(run_id=run.id) if ".variants." in sample.id]
    assert variant.verdict == run_pb2.VERDICT_REJECTED and variant.reason.startswith("direction_off: ")
