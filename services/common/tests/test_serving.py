"""A server as operators and callers see it: health, reflection, model, bounds, token, TLS, addresses, signals."""

import asyncio
import signal
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common import errors
from lumenmill_common.calls import call_heavy, call_unary, connect
from lumenmill_common.serve import serve, serving
from lumenmill_common.service import Service
from lumenmill_common.settings import SecuritySettings, ServiceSettings, load_settings
from lumenmill_common.testing import eventually, free_port, running_process, running_service, start_process
from lumenmill_common.testing.certificates import make_authority, make_certificate

from .tiny_service import request_for

SERVING = health_pb2.HealthCheckResponse.SERVING


async def health_of(channel: grpc.aio.Channel) -> str:
    response = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


async def test_health_says_not_serving_while_the_model_loads(service: Service) -> None:
    loaded, serving_now, stop = threading.Event(), asyncio.Event(), asyncio.Event()
    slow = Service(service.name, service.contracts, model=service.model, load=loaded.wait, jobs=service.jobs)
    settings = ServiceSettings(listen_address="127.0.0.1:50997", drain_s=0.0)

    async def run() -> None:
        async with serving(settings, slow):
            serving_now.set()
            await stop.wait()

    server = asyncio.create_task(run())
    async with grpc.aio.insecure_channel("127.0.0.1:50997") as channel:
        await channel.channel_ready()
        assert await health_of(channel) == "NOT_SERVING"
        with pytest.raises(errors.UnavailableError):
            await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
        loaded.set()
        await serving_now.wait()
        assert await health_of(channel) == "SERVING"
    stop.set()
    await server


async def test_loading_is_retried_while_a_dependency_is_unavailable(service: Service) -> None:
    tries = []

    def load() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise errors.UnavailableError("the store is starting")

    late = Service(service.name, service.contracts, model=service.model, load=load, jobs=service.jobs)
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    async with (
        asyncio.timeout(10),
        serving(settings, late, asyncio.Event()) as port,
        connect(f"127.0.0.1:{port}", settings) as channel,
    ):
        assert await health_of(channel) == "SERVING"
    assert len(tries) == 3


async def test_reflection_lists_every_contract_and_get_model_returns_the_limits(service: Service) -> None:
    async with running_service(service) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = {entry.name for entry in (await call.read()).list_services_response.service}
        response = await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
    assert {"lumenmill.imager.v1.ImagerService", "lumenmill.common.v1.ModelService"} <= names
    assert response.model.contracts == ["lumenmill.imager.v1.ImagerService"]
    assert response.model.limits.max_queue_length == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"width_px": -1}, "width_px"),
        ({"num_images": 65}, "num_images"),
        ({"job": {"request_id": "has spaces"}}, "job.request_id"),
        ({"light": {"sources": [{"area": {"irradiance": float("nan")}}]}}, "light.sources[0].area.irradiance"),
        ({"light": {"sources": [{}]}}, "light.sources[0].kind"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a\0b"}, "prompt"),
        ({"scene": {"subjects": ["jug", "a\0b"]}}, "scene.subjects[1]"),
    ],
)  # fmt: skip
async def test_requests_out_of_bounds_are_refused_with_the_field(service: Service, change: dict, field: str) -> None:
    request = imager_pb2.GenerateImagesRequest(**{"prompt": "x", "job": {"request_id": "id"}} | change)
    async with running_service(service) as channel:
        with pytest.raises(errors.InvalidArgumentError) as refused:
            await call_heavy(imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages, request)
    assert refused.value.field == field
    assert refused.value.violations[0][1]


async def test_a_request_with_many_violations_is_refused_as_invalid(service: Service) -> None:
    lights = [{"area": {"irradiance": -1, "azimuth_deg": 1e9}} for _ in range(16)]
    request = imager_pb2.GenerateImagesRequest(
        prompt="x", job={"request_id": "id"}, light={"sources": lights}, scene={"subjects": ["s" * 200] * 32}
    )
    async with running_service(service) as channel:
        with pytest.raises(errors.InvalidArgumentError) as refused:
            await call_heavy(imager_pb2_grpc.ImagerServiceStub(channel).GenerateImages, request)
    field, problem = refused.value.violations[-1]
    assert field == "scene.subjects[23]" and "; and " in problem


async def test_a_service_with_a_token_refuses_calls_without_it_but_answers_probes(service: Service, tmp_path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    settings = ServiceSettings(listen_address="127.0.0.1:0", token_file=tmp_path / "token", drain_s=0.0)
    async with serving(settings, service) as port:
        async with connect(f"127.0.0.1:{port}", SecuritySettings()) as stranger:
            assert await health_of(stranger) == "SERVING"
            with pytest.raises(errors.UnauthenticatedError):
                await call_unary(model_pb2_grpc.ModelServiceStub(stranger).GetModel, model_pb2.GetModelRequest())
            with pytest.raises(errors.UnauthenticatedError):
                await call_heavy(imager_pb2_grpc.ImagerServiceStub(stranger).GenerateImages, request_for("x"))
        async with connect(f"127.0.0.1:{port}", settings) as friend:
            await call_heavy(imager_pb2_grpc.ImagerServiceStub(friend).GenerateImages, request_for("x"))


async def test_mutual_tls_accepts_only_callers_with_a_certificate(service: Service, tmp_path) -> None:
    make_authority(tmp_path)
    for name in ("server", "client"):
        make_certificate(tmp_path, name)
    settings = ServiceSettings(
        listen_address="127.0.0.1:0",
        tls_cert_file=tmp_path / "server.pem",
        tls_key_file=tmp_path / "server.key",
        tls_client_ca_file=tmp_path / "ca.pem",
        drain_s=0.0,
    )
    known = SecuritySettings(
        tls_ca_file=tmp_path / "ca.pem", tls_cert_file=tmp_path / "client.pem", tls_key_file=tmp_path / "client.key"
    )
    async with serving(settings, service) as port:
        async with connect(f"127.0.0.1:{port}", known) as channel:
            assert await health_of(channel) == "SERVING"
        (tmp_path / "other").mkdir()
        make_authority(tmp_path / "other")
        wrong = SecuritySettings(tls_ca_file=tmp_path / "other" / "ca.pem")
        async with connect(f"127.0.0.1:{port}", wrong) as channel:
            with pytest.raises(errors.UnavailableError, match="not by our TLS: check LUMENMILL_TLS_CA_FILE"):
                await call_unary(
                    model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest(), timeout_s=10
                )
        for stranger in (SecuritySettings(tls_ca_file=tmp_path / "ca.pem"), SecuritySettings()):
            async with connect(f"127.0.0.1:{port}", stranger) as channel:
                with pytest.raises(errors.UnavailableError, match=r"at once, as .* LUMENMILL_TLS_CA_FILE"):
                    await call_unary(
                        model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest(), timeout_s=10
                    )


async def test_an_address_without_grpc_is_named() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        async with connect(f"127.0.0.1:{web.server_port}", SecuritySettings()) as channel:
            with pytest.raises(errors.UnavailableError, match="answers, but not by gRPC"):
                await call_unary(
                    model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest(), timeout_s=10
                )
        web.shutdown()


async def test_the_health_address_serves_only_health_without_tls_or_token(service: Service, tmp_path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "server")
    (tmp_path / "token").write_text("s3cret")
    loaded = threading.Event()
    slow = Service(service.name, service.contracts, model=service.model, load=loaded.wait, jobs=service.jobs)
    settings = ServiceSettings(
        listen_address="127.0.0.1:0",
        health_address="127.0.0.1:50996",
        tls_cert_file=tmp_path / "server.pem",
        tls_key_file=tmp_path / "server.key",
        token_file=tmp_path / "token",
        drain_s=0.0,
    )
    serving_now, stop = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with serving(settings, slow):
            serving_now.set()
            await stop.wait()

    server = asyncio.create_task(run())
    async with grpc.aio.insecure_channel("127.0.0.1:50996") as channel:
        await channel.channel_ready()
        alive = health_pb2.HealthCheckRequest(service="liveness")
        assert await health_of(channel) == "NOT_SERVING"
        assert (await health_pb2_grpc.HealthStub(channel).Check(alive)).status == SERVING
        loaded.set()
        await serving_now.wait()
        assert await health_of(channel) == "SERVING"
        with pytest.raises(errors.UnimplementedError):
            await call_unary(model_pb2_grpc.ModelServiceStub(channel).GetModel, model_pb2.GetModelRequest())
    stop.set()
    await server


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMENMILL_MAX_QUEUE_LENGTH", "none")
    monkeypatch.setenv("LUMENMILL_STORE_URL", "ftp://x")
    with pytest.raises(SystemExit) as refused:
        load_settings(ServiceSettings)
    assert "LUMENMILL_MAX_QUEUE_LENGTH" in str(refused.value) and "LUMENMILL_STORE_URL" in str(refused.value)


def test_a_service_that_cannot_be_built_exits_with_the_message() -> None:
    def refuse(settings: ServiceSettings) -> Service:
        raise errors.FailedPreconditionError("is none of flux, sdxl", "LUMENMILL_MODEL")

    with pytest.raises(SystemExit) as refused:
        serve(ServiceSettings(), refuse)
    assert refused.value.code == "LUMENMILL_MODEL: is none of flux, sdxl"


MAIN = """
import sys
sys.path.insert(0, {folder!r})
from {package}.tiny_service import TinyFamily
from lumenmill.imager.v1 import imager_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.settings import ServiceSettings, load_settings

settings = load_settings(ServiceSettings)
family, jobs = TinyFamily(open_store_from(settings)), jobs_from(settings, "tiny")
family.load = {load}
serve(settings, lambda _: family_service(family, jobs, imager_pb2.DESCRIPTOR))
"""


def program(load: str = "lambda: None") -> list[str]:
    """A Python program that serves the tiny family."""
    tests = Path(__file__).parent
    return ["-c", MAIN.format(folder=str(tests.parent), package=tests.name, load=load)]


async def test_a_process_writes_its_addresses_serves_metrics_and_drains_on_sigterm(tmp_path: Path) -> None:
    async with running_process(program(), tmp_path, drain_s=5) as service:
        addresses = await service.addresses()
        async with connect(addresses["grpc"], SecuritySettings()) as channel:
            stub = imager_pb2_grpc.ImagerServiceStub(channel)
            await call_heavy(stub.GenerateImages, request_for("x"))
            page = await asyncio.to_thread(
                lambda: urllib.request.urlopen(f"http://{addresses['metrics']}/metrics").read().decode()
            )
            assert (
                'lumenmill_job_duration_seconds_count{outcome="ok",queue="tiny",request="GenerateImagesRequest"} 1.0'
                in page
            )
            started = asyncio.Event()
            request = request_for("last words")
            running = asyncio.create_task(
                call_heavy(stub.GenerateImages, request, on_event=lambda event: started.set())
            )
            await started.wait()
            service.process.send_signal(signal.SIGTERM)
            assert (await running).images[0].image.size_bytes == len("last words")


async def test_a_process_with_wrong_settings_of_its_store_ends_with_their_name(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        endpoint = f"127.0.0.1:{plain.server_port}"
        service = start_process(program(), tmp_path, store_url="s3://bucket", s3_endpoint=endpoint)
        try:
            assert await asyncio.to_thread(service.process.wait, 30) == 1
        finally:
            service.kill()
            plain.shutdown()
    assert service.log.count("LUMENMILL_S3_SECURE") == 1 and "Traceback" not in service.log


async def test_a_process_waits_for_a_store_that_cannot_be_reached(tmp_path: Path) -> None:
    port = free_port()
    service = start_process(program(), tmp_path, store_url="s3://bucket", s3_endpoint=f"127.0.0.1:{port}")
    try:
        await eventually(lambda: "cannot load yet" in service.log, timeout_s=40)
        assert "the artifact store does not answer" in service.log
        # Once it answers, its settings turn out to be wrong: it speaks no HTTPS.
        with HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler) as plain:
            threading.Thread(target=plain.serve_forever, daemon=True).start()
            assert await asyncio.to_thread(service.process.wait, 40) == 1
            plain.shutdown()
        assert "LUMENMILL_S3_SECURE" in service.log
    finally:
        service.kill()


async def test_a_process_exits_at_once_on_sigterm_while_it_loads(tmp_path: Path) -> None:
    loading = tmp_path / "loading"
    load = f"lambda: (open({str(loading)!r}, 'w').close(), __import__('time').sleep(60))"
    service = start_process(program(load), tmp_path)
    try:
        await eventually(loading.exists, timeout_s=20)
        service.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(service.process.wait, 2) == 0
    finally:
        service.kill()
