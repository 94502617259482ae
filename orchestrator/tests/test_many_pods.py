"""A model with several pods: how calls are distributed while pods are added, removed, drained and disconnected."""

import asyncio
import contextlib
import time
from collections import Counter
from pathlib import Path

import pytest

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import open_store
from lumenmill_common.errors import UnavailableError
from lumenmill_common.fair_queue import Place
from lumenmill_common.serve import serving
from lumenmill_common.settings import SecuritySettings, ServiceSettings
from lumenmill_common.testing.certificates import make_authority, make_certificate
from lumenmill_orchestrator.mesh import Call, Mesh, ModelQueues, Slot, resolve
from lumenmill_orchestrator.mesh.addresses import parse_addresses
from lumenmill_orchestrator.storage import ModelStore, engine_url, make_engine, upgrade_schema

from .pods import Pods, Proxy, open_orchestrator, open_pods, open_queues, until, until_run
from .recipes import ONE_IMAGE
from .tiny_mesh import TinyFamily, tiny_service

_IMAGE = "imager.GenerateImages"
_ONLY_IMAGES = ONE_IMAGE[: ONE_IMAGE.index("  caption:\n")] + ONE_IMAGE[ONE_IMAGE.index("samples:") :].replace(
    "    caption: ${caption.text}\n", ""
)


def _tags(number: int) -> dict[str, list[str]]:
    return {"tags": [f"picture {index}" for index in range(number)]}


def _hold(pods: Pods) -> None:
    for pod in pods.pods:
        pod.family.go_on.clear()


def _release(pods: Pods) -> None:
    for pod in pods.pods:
        pod.family.go_on.set()


async def test_calls_are_distributed_by_the_workers_of_pods(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        for num_workers in (1, 1, 4):
            await pods.start(step_s=0.1, num_workers=num_workers)
        async with open_orchestrator(pods) as mesh:
            models = (await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models
            run = await mesh.run(_ONLY_IMAGES, _tags(36))
        assert run.num_samples_accepted == sum(pods.num_images()) == 36
        assert (models[0].ready, models[0].num_workers) == (True, 6)
        small, other, large = pods.num_images()
        assert 4 <= small <= 9 and 4 <= other <= 9 and 18 <= large <= 28


async def test_a_pod_that_refuses_calls_is_avoided(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        refusing, other = await pods.start(), await pods.start(num_workers=4)
        refusing.family.failures["image"] = [UnavailableError("out of memory", retry_delay_s=20.0)] * 50
        async with open_orchestrator(pods) as mesh:
            run = await mesh.ended(await mesh.submit(_ONLY_IMAGES, _tags(20)), timeout_s=10.0)
        assert run.num_samples_accepted == other.num_images == 20
        assert refusing.num_images <= 5, "it backs off for as long as it asked"


async def test_new_pods_get_calls_at_once(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start(step_s=0.3)
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(24))
            await until(lambda: sum(pods.num_images()) == 1)
            await asyncio.gather(pods.start(step_s=0.3), pods.start(step_s=0.3))
            run = await mesh.ended(run_id)
        assert run.num_samples_accepted == sum(pods.num_images()) == 24
        assert min(pods.num_images()) >= 2


async def test_a_draining_pod_finishes_its_jobs_and_gets_no_new_ones(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        leaving, staying = await pods.start(), await pods.start()
        _hold(pods)
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(8))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running >= 2)
            leaving.drain()
            pods.withdraw(leaving.address)
            await asyncio.sleep(1.5)
            staying.family.go_on.set()
            await until(lambda: staying.num_images == 7)
            leaving.family.go_on.set()
            run = await mesh.ended(run_id)
        assert (run.num_samples_accepted, pods.num_images()) == (8, [1, 7])
        assert not leaving.family.num_cancelled


async def test_a_broken_call_reattaches_to_its_job_at_a_draining_pod(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, contextlib.AsyncExitStack() as closing:
        leaving, staying = await pods.start(listed=False), await pods.start(listed=False)
        proxy = Proxy(leaving)
        await proxy.open()
        closing.push_async_callback(proxy.close)
        pods.addresses.append(proxy.address)
        leaving.family.go_on.clear()
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(1))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running == 1 and run.steps[0].progress.stage)
            pods.addresses.append(staying.address)
            await until_run(mesh, run_id, lambda run: True)
            leaving.drain()
            pods.withdraw(proxy.address)
            await asyncio.sleep(1.5)
            proxy.cut()
            await asyncio.sleep(1.5)
            leaving.family.go_on.set()
            run = await mesh.ended(run_id)
        assert (run.num_samples_accepted, pods.num_images()) == (1, [1, 0])


async def test_jobs_of_a_killed_pod_are_computed_once_by_another_pod(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, pods.process(1.0) as killed, pods.process(1.0):
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(8))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running == 8)
            await asyncio.sleep(0.3)
            killed.kill()
            await asyncio.sleep(1.0)
            pods.withdraw(pods.addresses[0])
            run = await mesh.ended(run_id)
        assert (run.num_samples_accepted, run.steps[0].num_failed) == (8, 0)
        assert sorted(pods.made().values()) == [1] * 8


async def test_a_restarted_orchestrator_finds_each_job_at_its_pod(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        for _ in range(3):
            await pods.start()
        _hold(pods)
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(3))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running == 3)
            await asyncio.sleep(0.3)
        async with open_orchestrator(pods) as mesh:
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running == 3)
            await asyncio.sleep(1.0)
            _release(pods)
            run = await mesh.ended(run_id)
        assert run.num_samples_accepted == 3
        assert pods.num_images() == [1, 1, 1], "nothing was computed twice"
        assert not sum(pod.family.num_cancelled for pod in pods.pods)


async def test_results_of_two_revisions_are_stored_separately(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start(revision="1", step_s=0.05)
        await pods.start(revision="2", step_s=0.05)
        async with open_orchestrator(pods) as mesh:
            revision = (await mesh.runs.ListModels(run_pb2.ListModelsRequest())).models[0].model.revision
            run = await mesh.run(_ONLY_IMAGES, _tags(10))
            samples = await mesh.samples(run_id=run.id)
            lineages = [
                await mesh.runs.GetLineage(run_pb2.GetLineageRequest(sample_id=sample.id)) for sample in samples
            ]
            pods.withdraw(pods.pods[0].address)
            again = await num_reused_by_another_run(mesh, 10)
        made_by = Counter(lineage.executions[0].revision for lineage in lineages)
        assert revision == "2", "the newest pod describes the model"
        assert made_by == Counter({"1": pods.pods[0].num_images, "2": 10 - pods.pods[0].num_images})
        assert again == made_by["2"]


async def num_reused_by_another_run(mesh: object, number: int) -> int:
    """Run the recipe again, and return how many results it reuses."""
    run = await mesh.run(_ONLY_IMAGES, _tags(number))  # type: ignore[attr-defined]
    return int(run.steps[0].num_reused)


async def test_cancelling_a_run_cancels_its_jobs_at_every_pod(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        for _ in range(2):
            await pods.start()
        _hold(pods)
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(6))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running >= 2)
            await asyncio.sleep(0.3)
            await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id))
            await until(lambda: all(pod.family.num_cancelled for pod in pods.pods))
            _release(pods)
            await asyncio.sleep(0.3)
        assert not sum(pods.num_images())


async def test_a_run_with_a_job_at_a_removed_pod_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lumenmill_orchestrator.mesh.model_endpoints._KEEP_REMOVED_S", 0.0)
    async with open_pods(tmp_path) as pods, pods.process(30.0) as killed, pods.process(30.0):
        async with open_orchestrator(pods) as mesh:
            run_id = await mesh.submit(_ONLY_IMAGES, _tags(2))
            await until_run(mesh, run_id, lambda run: run.steps[0].num_running == 2)
            await asyncio.sleep(0.3)
            killed.kill()
            pods.withdraw(pods.addresses[0])
            await asyncio.sleep(6.0)
            cancelled = await mesh.runs.CancelRun(run_pb2.CancelRunRequest(run_id=run_id))
        assert cancelled.run.state == run_pb2.RUN_STATE_CANCELLED


# Queues without an orchestrator.


async def _acquire(queues: ModelQueues, number: int, at_once: list[Slot], run_id: str = "mine") -> None:
    call = Call(_IMAGE, "image", Place(0, run_id=run_id, order=number))
    async with queues.of("tiny").slot(call) as slot:
        at_once.append(slot)
        await asyncio.sleep(3600)


@contextlib.asynccontextmanager
async def _waiting_calls(queues: ModelQueues, number: int):  # type: ignore[no-untyped-def]  # an async generator of slots
    at_once: list[Slot] = []
    tasks = [asyncio.create_task(_acquire(queues, index, at_once)) for index in range(number)]
    try:
        await asyncio.sleep(0.1)
        yield at_once
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_long_calls_are_not_prefetched(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start(num_workers=2)
        admitted = {}
        for each_s in (0.01, 10.0, 30.0, 1800.0):
            async with open_queues(pods, prefetch=8) as (_, queues):
                queues.call_seconds.seed("tiny", _IMAGE, each_s)
                async with _waiting_calls(queues, 20) as at_once:
                    admitted[each_s] = len(at_once)
        assert admitted == {0.01: 2 + 8, 10.0: 2 + 6, 30.0: 2 + 2, 1800.0: 2 + 1}
        async with open_queues(pods, prefetch=0) as (_, queues), _waiting_calls(queues, 20) as at_once:
            assert len(at_once) == 2


async def test_the_load_counts_waiting_calls_and_calls_in_flight(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        first, second = await pods.start(), await pods.start()
        async with open_queues(pods, prefetch=0) as (_, queues), _waiting_calls(queues, 5):
            unmeasured = queues.loads()["tiny"]
            queues.call_seconds.add("tiny", _IMAGE, 7.0)
            load, doing = queues.loads()["tiny"], queues.calls_by_endpoint()
        assert (load.num_waiting, load.num_in_flight, load.backlog_s) == (3, 2, 5 * 7.0)
        assert unmeasured.backlog_s == 5 * 60.0
        assert doing == {pod.address: ["image (mine)"] for pod in (first, second)}
        assert load.num_calls_at == dict.fromkeys(doing, 1)
        queues.call_seconds.add("tiny", _IMAGE, 12.0)
        assert 7.0 < queues.call_seconds.expected_s("tiny", _IMAGE) < 12.0


async def test_a_slot_that_was_free_counts_as_a_turn(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start()
        async with open_queues(pods, prefetch=0) as (_, queues):
            at_once: list[Slot] = []
            calls = [("served", 1), ("served", 2), ("other", 1)]
            tasks = [asyncio.create_task(_acquire(queues, number, at_once, run_id)) for run_id, number in calls]
            await until(lambda: at_once and queues.loads()["tiny"].num_waiting == 2)
            tasks[0].cancel()
            await until(lambda: len(at_once) == 2)
            assert [slot.call.run_id for slot in at_once] == ["served", "other"]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_slots_go_by_priority_and_cancelled_calls_release_theirs(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods:
        await pods.start()
        async with open_queues(pods, prefetch=0) as (_, queues):
            at_once: list[Slot] = []
            tasks = [asyncio.create_task(_acquire(queues, number, at_once)) for number in (5, 9, 1, 3)]
            await asyncio.sleep(0.05)
            tasks[2].cancel()
            await asyncio.sleep(0.05)
            tasks[0].cancel()
            await asyncio.sleep(0.05)
            assert [slot.call.place.order for slot in at_once] == [5, 3]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            load = queues.loads()["tiny"]
            assert (load.num_waiting, load.num_in_flight, load.backlog_s) == (0, 0, 0.0)


async def test_certificates_are_verified_against_the_name(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "pod")  # for 127.0.0.1 and localhost
    files = {name: tmp_path / f"pod.{end}" for name, end in (("tls_cert_file", "pem"), ("tls_key_file", "key"))}
    settings = ServiceSettings(listen_address="127.0.0.2:0", drain_s=0.0, **files)
    engine = make_engine(engine_url(f"sqlite:///{tmp_path}/mesh.sqlite"))
    upgrade_schema(engine)
    async with serving(settings, tiny_service(TinyFamily(open_store(f"file://{tmp_path}/store")))) as port:

        async def one_pod(host: str, asked_port: int) -> list[str]:
            return [f"127.0.0.2:{port}"]

        mesh = Mesh(
            f"{{named: 'dns:///localhost:{port}', other: 'dns:///other.pods:{port}', number: '127.0.0.2:{port}'}}",
            SecuritySettings(tls_ca_file=tmp_path / "ca.pem"),
            ModelStore(engine),
            resolve=one_pod,
        )
        await mesh.start()
        ready = {name: model.ready for name, model in mesh.models().items()}
        await mesh.stop()
    engine.dispose()
    assert ready == {"named": True, "other": False, "number": False}


async def test_given_addresses_are_endpoints_of_one_model(tmp_path: Path) -> None:
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    family = TinyFamily(open_store(f"file://{tmp_path}/store"))
    engine = make_engine(engine_url(f"sqlite:///{tmp_path}/mesh.sqlite"))
    upgrade_schema(engine)
    async with serving(settings, tiny_service(family)) as one, serving(settings, tiny_service(family)) as other:
        addresses = [f"127.0.0.1:{one}", f"127.0.0.1:{other}"]
        mesh = Mesh(f"{{tiny: 'ipv4:{','.join(addresses)}'}}", SecuritySettings(), ModelStore(engine))
        await mesh.start()
        await until(lambda: len(mesh.model("tiny").serving) == 2, timeout_s=4.0)
        found = [endpoint.address for endpoint in mesh.model("tiny").serving]
        await mesh.stop()
    engine.dispose()
    assert sorted(found) == sorted(addresses)
    with pytest.raises(ValueError, match="must be ipv4:ADDRESS:PORT,ADDRESS:PORT"):
        parse_addresses("{tiny: 'ipv4:127.0.0.1:1,studio'}")


async def test_names_are_resolved_by_the_system() -> None:
    assert await resolve("localhost", 50051) == ["127.0.0.1:50051"]
    assert await resolve("127.0.0.2", 7) == ["127.0.0.2:7"]
    assert not await resolve("no-such-pod.invalid", 7)


async def test_endpoints_follow_the_addresses_of_the_name(tmp_path: Path) -> None:
    async with open_pods(tmp_path) as pods, open_queues(pods) as (mesh, _):
        model, began_s = mesh.model("tiny"), time.monotonic()
        assert (model.ready, model.reason) == (False, "no pod serves")
        first, second = await pods.start(), await pods.start()
        await until(lambda: len(model.serving) == 2, timeout_s=4.0)
        pods.withdraw(first.address)
        await until(lambda: [endpoint.address for endpoint in model.serving] == [second.address], timeout_s=4.0)
        pods.withdraw(second.address)
        await until(lambda: not model.ready, timeout_s=4.0)
        assert time.monotonic() - began_s < 12.0
        assert model.description is not None and model.description.revision == "1"
