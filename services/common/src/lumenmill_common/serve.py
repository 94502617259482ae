"""Runs a service: gRPC server, health, reflection, TLS, loading of the model, draining."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from lumenmill.common.v1 import model_pb2

from lumenmill_common.certificates import watch_certificates
from lumenmill_common.errors import LumenmillError, UnavailableError
from lumenmill_common.interceptors import CallInterceptor
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.telemetry import MODEL_LOAD_DURATION, configure_logging, get_logger, serve_metrics

__all__ = ["MAX_MESSAGE_BYTES", "MAX_METADATA_BYTES", "serve", "server_credentials", "serving"]

_log = get_logger(__name__)
_HealthStatus = health_pb2.HealthCheckResponse

# Room for several inline artifacts of 3 MiB; the library's own limit is 4 MiB.
MAX_MESSAGE_BYTES = 32 << 20
# Errors name every wrong field in their trailers.
MAX_METADATA_BYTES = 64 << 10
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    # Two processes must never share a port unnoticed.
    ("grpc.so_reuseport", 0),
    # Connections are renewed now and then, so that clients find pods that were added; running streams are not cut.
    ("grpc.max_connection_age_ms", 900_000),
    # Clients of half-hour jobs ping every 30 s.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
# Time between NOT_SERVING and the refusal of new calls, in which load balancers take the address out.
_LEAVE_S = 0.5
# Pauses before loading is tried again, when a store or database that starts beside us is not there yet.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
# Time that calls get to carry off what the last jobs made.
_LAST_CALLS_S = 1.0
# Health of the process itself, whatever its model is at: for whoever restarts processes that hang.
_LIVENESS = "liveness"


class _StoppedError(UnavailableError):
    """It was told to stop before its model was there."""


def serve(settings: ServiceSettings, service: Service) -> None:
    """Serves until SIGTERM or SIGINT, then drains. Exits with code 1 and a log line when the model cannot be loaded,
    and at once with code 0 when it is told to stop while it loads."""
    configure_logging(settings, service.name)
    try:
        asyncio.run(_serve_until_signal(settings, service))
    except LumenmillError as error:
        _log.error("cannot serve", reason=error.message)
        sys.exit(1)


async def _serve_until_signal(settings: ServiceSettings, service: Service) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watch_certificates(settings)
    metrics_port = serve_metrics(settings.metrics_address)
    try:
        async with serving(settings, service, stop) as port:
            _log.info("serving", port=port, metrics_port=metrics_port)
            if settings.address_file:
                _write_addresses(settings.address_file, settings, port, metrics_port)
            await stop.wait()
            _log.info("draining")
    except _StoppedError as error:
        _log.info("stopped", reason=error.message)
        # The thread that loads cannot be interrupted, and would keep the process and its GPU for minutes. Nobody has
        # been given anything that would be lost.
        os._exit(0)
    _log.info("stopped")


def _write_addresses(file: Path, settings: ServiceSettings, port: int, metrics_port: int | None) -> None:
    host = settings.listen_address.rpartition(":")[0]
    metrics_host = settings.metrics_address.rpartition(":")[0]
    addresses = {
        "grpc": f"{host}:{port}",
        "metrics": f"{metrics_host}:{metrics_port}" if metrics_port else None,
    }
    incoming = file.with_suffix(".incoming")
    incoming.write_text(json.dumps(addresses))
    incoming.replace(file)


@contextlib.asynccontextmanager
async def serving(settings: ServiceSettings, service: Service, stop: asyncio.Event | None = None) -> AsyncIterator[int]:
    """Serves inside the block and yields the bound port; health says SERVING. Leaving the block drains.

    The port is open while the model loads and health says NOT_SERVING. A `stop` that is set meanwhile is heeded at
    once, though the thread that loads goes on. With a `stop`, what is away while the model loads is waited for.

    Raises:
        UnavailableError: the port cannot be bound, or it was told to stop while it loaded.
        LumenmillError: whatever `service.load` raised.
    """
    server = grpc.aio.server(interceptors=[CallInterceptor(settings, service.translate_error)], options=_OPTIONS)
    ready = asyncio.Event()
    contracts, health_servicer = service.all_contracts(ready), health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [contract.full_name for contract in contracts]
    for contract in contracts:
        contract.add_to(server)
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME, "grpc.health.v1.Health"], server)
    await _set_health(health_servicer, names, _HealthStatus.NOT_SERVING)
    await health_servicer.set(_LIVENESS, _HealthStatus.SERVING)
    port = _bind(server, settings)
    await server.start()
    async with contextlib.AsyncExitStack() as background:
        await background.enter_async_context(_probed(settings.health_address, health_servicer))
        try:
            await _load(service, stop)
        except BaseException:
            if service.jobs:
                await service.jobs.stop(0.0)
            await server.stop(None)
            raise
        try:
            ready.set()
            for enter in service.background:
                await background.enter_async_context(enter())
            if service.jobs:
                service.jobs.start(service.model() if service.model else model_pb2.Model())
            if stop is None or not stop.is_set():
                await _set_health(health_servicer, names, _HealthStatus.SERVING)
            yield port
        finally:
            await _set_health(health_servicer, names, _HealthStatus.NOT_SERVING)
            await asyncio.sleep(min(_LEAVE_S, settings.drain_s))
            await _drain(server, service, settings.drain_s)


@contextlib.asynccontextmanager
async def _probed(address: str, health_servicer: health_aio.HealthServicer) -> AsyncIterator[None]:
    """Answers health alone, without TLS, on an address of its own: the probes of Kubernetes know no TLS."""
    if not address:
        yield
        return
    server = grpc.aio.server(options=_OPTIONS)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise UnavailableError(f"cannot listen on {address}: {error}") from error
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


async def _drain(server: grpc.aio.Server, service: Service, drain_s: float) -> None:
    if service.jobs:
        # Jobs end while their callers are connected, so that they get results rather than broken streams. The server
        # goes on meanwhile: a caller whose connection broke finds its job, and new jobs are refused.
        await service.jobs.stop(drain_s)
    service.draining.set()
    await server.stop(_LAST_CALLS_S if service.jobs else drain_s)


async def _load(service: Service, stop: asyncio.Event | None) -> None:
    """Loads; again after growing pauses while something that it needs is away. Health says NOT_SERVING meanwhile.

    Raises:
        _StoppedError: it was told to stop meanwhile.
        LumenmillError: whatever `service.load` raised.
    """
    if service.load is None:
        return
    load = service.load
    started_s, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while True:
        try:
            await _unless_stopped(service.jobs.run_in_workers(load) if service.jobs else asyncio.to_thread(load), stop)
        except _StoppedError:
            raise
        except UnavailableError as error:
            if stop is None:
                raise
            _log.warning("cannot load yet", reason=error.message, next_try_in_s=pause_s)
        else:
            MODEL_LOAD_DURATION.set(time.monotonic() - started_s)
            return
        await _unless_stopped(asyncio.sleep(pause_s), stop)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event | None) -> None:
    """Wait for work, and no longer when it is to stop.

    Raises:
        _StoppedError: it is to stop.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _StoppedError("told to stop while it loaded")
        working.result()
    finally:
        working.cancel()
        stopping.cancel()


async def _set_health(servicer: health_aio.HealthServicer, names: list[str], status: Any) -> None:
    for name in ["", *names]:
        await servicer.set(name, status)


def _bind(server: grpc.aio.Server, settings: ServiceSettings) -> int:
    try:
        if settings.tls_key_file and settings.tls_cert_file:
            credentials = server_credentials(settings.tls_key_file, settings.tls_cert_file, settings.tls_client_ca_file)
            return server.add_secure_port(settings.listen_address, credentials)
        return server.add_insecure_port(settings.listen_address)
    except RuntimeError as error:
        raise UnavailableError(f"cannot listen on {settings.listen_address}: {error}") from error


def server_credentials(key_file: Path, cert_file: Path, client_ca_file: Path | None) -> grpc.ServerCredentials:
    """TLS of a server by PEM files. With `client_ca_file`, callers must show a certificate of that authority.

    The files are read again for every connection, so that rotated certificates are used without a restart.

    Raises:
        OSError: a file cannot be read.
    """

    def read() -> tuple[bytes, bytes, bytes | None]:
        return key_file.read_bytes(), cert_file.read_bytes(), client_ca_file.read_bytes() if client_ca_file else None

    def configured(files: tuple[bytes, bytes, bytes | None]) -> grpc.ServerCertificateConfiguration:
        key, cert, roots = files
        return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=roots)

    in_use = read()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # None where nothing changed: gRPC frees its certificates whenever it is given some, also while another thread
        # begins a handshake with them, and the process dies of that (grpc/grpc#36693).
        nonlocal in_use
        if (found := read()) == in_use:
            return None
        in_use = found
        return configured(found)

    return grpc.dynamic_ssl_server_credentials(
        configured(in_use),
        changed,  # type: ignore[arg-type]  # None is documented, and left out of the stubs
        require_client_authentication=client_ca_file is not None,
    )
