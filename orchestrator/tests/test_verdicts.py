"""Gates, failures, retries, isolation."""

import pytest
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InternalError, InvalidArgumentError, ResourceExhaustedError, UnavailableError

from .conftest import House, counts
from .recipes import ONE_IMAGE, SMALL


async def test_a_gate_refuses_and_what_follows_is_left_out(house: House) -> None:
    house.family.direction_error_deg = 90.0
    run = await house.run(SMALL)
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert counts(run)["caption"].num_rejected == 3
    rejected = [sample for sample in await house.samples(run_id=run.id) if sample.verdict == run_pb2.VERDICT_REJECTED]
    assert len(rejected) == run.num_samples_rejected == 3
    assert {sample.reason for sample in rejected} == {"direction_off"}
    assert all("image" in sample.media and sample.caption for sample in rejected)


async def test_a_gate_refuses_what_was_not_measured(house: House) -> None:
    house.family.direction_error_deg = None
    run = await house.run(SMALL)
    assert counts(run)["caption"].num_rejected == 3


async def test_a_gate_may_let_pass_what_was_not_measured(house: House) -> None:
    house.family.direction_error_deg = float("nan")
    run = await house.run(
        SMALL.replace("reason: direction_off\n", "reason: direction_off\n        when_missing: accept\n")
    )
    assert counts(run)["caption"].num_accepted == 3


async def test_a_new_threshold_computes_nothing_again(house: House) -> None:
    await house.run(SMALL)
    done = house.family.num_done.total()
    run = await house.run(SMALL, {"largest_error_deg": 1.0})
    assert counts(run)["caption"].num_rejected == 3
    assert house.family.num_done.total() == done


async def test_one_bad_item_does_not_stop_the_others(house: House) -> None:
    house.family.failures["image"] = [InvalidArgumentError("prompt", "is not nice")]
    run = await house.run(ONE_IMAGE, {"tags": ["a", "b", "c"]})
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert counts(run)["image"].num_failed == 1
    assert counts(run)["caption"].num_skipped == 1
    assert run.num_samples_accepted == 2
    failed = [sample for sample in await house.samples(run_id=run.id) if sample.verdict == run_pb2.VERDICT_FAILED]
    assert "is not nice" in failed[0].reason
    assert house.family.num_done["image"] == 3, "INVALID_ARGUMENT is never tried again"


@pytest.mark.parametrize(
    "error", [UnavailableError("away"), ResourceExhaustedError("full", retry_delay_s=0.05), InternalError("odd")]
)
async def test_passing_failures_are_tried_again(house: House, error: Exception) -> None:
    house.family.failures["image"] = [error]
    run = await house.run(ONE_IMAGE)
    assert run.num_samples_accepted == 1
    lineage = await house.runs.GetLineage(
        run_pb2.GetLineageRequest(sample_id=(await house.samples(run_id=run.id))[0].id)
    )
    assert lineage.executions[0].num_attempts == 2


async def test_an_optional_step_may_fail(house: House) -> None:
    house.family.failures["compare"] = [InvalidArgumentError("before", "no")] * 6
    run = await house.run(SMALL)
    assert counts(run)["change"].num_failed == 6
    assert run.num_samples_accepted == 9


async def test_a_source_that_fails_fails_the_run(house: House) -> None:
    house.family.failures["sets"] = [InvalidArgumentError("brief", "makes no sense")]
    run = await house.run(SMALL)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert "makes no sense" in run.error


async def test_a_source_that_gives_less_makes_fewer_items(house: House) -> None:
    house.family.sets_to_give = 2
    run = await house.run(SMALL)
    assert (run.state, run.num_items, run.num_items_done) == (run_pb2.RUN_STATE_COMPLETED, 2, 2)
