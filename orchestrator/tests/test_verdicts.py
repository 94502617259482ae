"""Gates, failures, retries, isolation."""

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InternalError, InvalidArgumentError, ResourceExhaustedError, UnavailableError

from .conftest import LocalMesh, counts
from .recipes import ONE_IMAGE, SMALL


async def test_a_gate_rejects_a_result_and_later_steps_are_skipped(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = 90.0
    run = await mesh.run(SMALL)
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert counts(run)["caption"].num_rejected == 3
    rejected = [sample for sample in await mesh.samples(run_id=run.id) if sample.verdict == run_pb2.VERDICT_REJECTED]
    assert len(rejected) == run.num_samples_rejected == 3
    assert {sample.reason for sample in rejected} == {"direction_off: error.direction_deg is 90, above 40"}
    assert all("image" in sample.media and sample.caption for sample in rejected)


async def test_a_gate_rejects_a_result_without_the_measurement(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = None
    run = await mesh.run(SMALL)
    assert counts(run)["caption"].num_rejected == 3
    reasons = {sample.reason for sample in await mesh.samples(run_id=run.id)} - {""}
    assert reasons == {"direction_off_unknown: error.direction_deg is missing"}, "unmeasured is not wrong"


async def test_a_gate_may_accept_a_result_without_the_measurement(mesh: LocalMesh) -> None:
    mesh.family.direction_error_deg = float("nan")
    run = await mesh.run(
        SMALL.replace("reason: direction_off\n", "reason: direction_off\n        when_missing: accept\n")
    )
    assert counts(run)["caption"].num_accepted == 3


async def test_a_new_threshold_reuses_all_results(mesh: LocalMesh) -> None:
    await mesh.run(SMALL)
    done = mesh.family.num_done.total()
    run = await mesh.run(SMALL, {"largest_error_deg": 1.0})
    assert counts(run)["caption"].num_rejected == 3
    assert mesh.family.num_done.total() == done


async def test_what_was_not_requested_of_a_failed_item_is_no_sample(mesh: LocalMesh) -> None:
    """`when` of the step, `when` of the samples, and `at_most`, decide without the image."""
    of_step = SMALL.replace('num_lights}", above: 0', 'num_lights}", above: 2')
    of_samples = SMALL.replace(
        "  variants:\n    for_each", '  variants:\n    when: {value: "${item_index}", above: 2}\n    for_each'
    )
    at_most = SMALL.replace(
        "  variants:\n    for_each: ${relit.variants}", "  variants:\n    for_each: ${relit.variants}\n    at_most: 0"
    )
    for text, num_listed in ((SMALL, 1), (of_step, 0), (of_samples, 0), (at_most, 0)):
        mesh.family.failures["image"] = [InvalidArgumentError("prompt", "is not nice")]
        run = await mesh.run(text, {"num_sets": 1, "seed": len(text)})
        original, *variants = await mesh.samples(run_id=run.id)
        assert original.verdict == run_pb2.VERDICT_FAILED
        assert len(variants) == num_listed, text


async def test_samples_are_listed_by_item_and_rule_whatever_was_finished_first(mesh: LocalMesh) -> None:
    mesh.family.failures["image"] = [UnavailableError("unavailable")]  # the first item is finished last
    runs = [await mesh.run(SMALL, {"seed": seed}, run_id=run_id) for seed, run_id in ((1, "b"), (2, "a"))]
    expected = [
        f"{run.id}.main-{item:06d}.{rule}" for run in runs for item in range(3)
        for rule in ("original.0", "variants.0", "variants.1")
    ]  # fmt: skip
    assert [sample.id for sample in await mesh.samples()] == expected
    assert [sample.id for sample in await mesh.samples(run_id="b")] == expected[:9]
    pages, token = [], ""
    while not pages or token:
        request = run_pb2.ListSamplesRequest(page_size=4, page_token=token, kinds=[run_pb2.SAMPLE_KIND_IMAGE])
        page = await mesh.runs.ListSamples(request)
        token = page.next_page_token
        pages += [sample.id for sample in page.samples]
    assert pages == expected


async def test_one_bad_item_does_not_stop_the_others(mesh: LocalMesh) -> None:
    mesh.family.failures["image"] = [InvalidArgumentError("prompt", "is not nice")]
    run = await mesh.run(ONE_IMAGE, {"tags": ["a", "b", "c"]})
    assert run.state == run_pb2.RUN_STATE_COMPLETED
    assert counts(run)["image"].num_failed == 1
    assert counts(run)["caption"].num_skipped == 1
    assert run.num_samples_accepted == 2
    failed = [sample for sample in await mesh.samples(run_id=run.id) if sample.verdict == run_pb2.VERDICT_FAILED]
    assert "is not nice" in failed[0].reason
    assert mesh.family.num_done["image"] == 3, "INVALID_ARGUMENT is not retried"


@pytest.mark.parametrize(
    "error", [UnavailableError("unavailable"), ResourceExhaustedError("full", retry_delay_s=0.05), InternalError("odd")]
)
async def test_transient_failures_are_retried(mesh: LocalMesh, error: Exception) -> None:
    mesh.family.failures["image"] = [error]
    run = await mesh.run(ONE_IMAGE)
    assert run.num_samples_accepted == 1
    lineage = await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=(await mesh.samples(run_id=run.id))[0].id))
    assert lineage.executions[0].num_attempts == 2


async def test_an_optional_step_may_fail(mesh: LocalMesh) -> None:
    mesh.family.failures["compare"] = [InvalidArgumentError("before", "no")] * 6
    run = await mesh.run(SMALL)
    assert counts(run)["change"].num_failed == 6
    assert run.num_samples_accepted == 9


async def test_a_source_that_fails_fails_the_run(mesh: LocalMesh) -> None:
    mesh.family.failures["sets"] = [InvalidArgumentError("brief", "makes no sense")]
    run = await mesh.run(SMALL)
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert "makes no sense" in run.error


async def test_a_source_that_yields_fewer_items_makes_a_smaller_run(mesh: LocalMesh) -> None:
    mesh.family.sets_to_give = 2
    run = await mesh.run(SMALL)
    assert (run.state, run.num_items, run.num_items_done) == (run_pb2.RUN_STATE_COMPLETED, 2, 2)
