"""Runs a service: gRPC server, health, reflection, TLS, loading of the model, draining."""

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from lumenmill.common.v1 import model_pb2
from lumenmill_common.artifacts import check_usable
from lumenmill_common.certificates import watch_certificates
from lumenmill_common.decoding import warm_decoders
from lumenmill_common.errors import LumenmillError, UnavailableError
from lumenmill_common.interceptors import CallInterceptor
from lumenmill_common.retries import RetryPolicy, RetryState, retrying
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_common.telemetry import MODEL_LOAD_DURATION, configure_logging, get_logger, serve_metrics

__all__ = ["CONNECTION_OPTIONS", "MAX_MESSAGE_BYTES", "MAX_METADATA_BYTES", "serve", "server_credentials", "serving"]

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)

_log = get_logger(__name__)
_HealthStatus = health_pb2.HealthCheckResponse

# Enough for several inline artifacts of 3 MiB; the default of the library is 4 MiB.
MAX_MESSAGE_BYTES = 32 << 20
# Errors name every wrong field in their trailers.
MAX_METADATA_BYTES = 64 << 10
CONNECTION_OPTIONS = (
    # Two processes must not share a port.
    ("grpc.so_reuseport", 0),
    # Connections are closed after 15 minutes, so that clients find new pods; running streams are not interrupted.
    ("grpc.max_connection_age_ms", 900_000),
    # Any number of pings, however close: by default a server ends a quiet stream by `too_many_pings` after three pings
    # within five minutes of each other, and on a busy machine pings arrive in bunches, whatever their interval.
    ("grpc.http2.max_ping_strikes", 0),
)
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    *CONNECTION_OPTIONS,
)
# Time between NOT_SERVING and the refusal of new calls, in which load balancers remove the address.
_LAME_DUCK_S = 0.5
# While a store or database is still starting.
_LOAD_RETRIES = RetryPolicy({UnavailableError: math.inf}, initial_backoff_s=0.5, max_backoff_s=15.0)
_NO_RETRIES = RetryPolicy({})
# Time for calls to transfer the results of the last jobs.
_LAST_CALLS_S = 1.0
# Health of the process itself, whatever the state of its model: for supervisors that restart processes that hang.
_LIVENESS = "liveness"


class _StoppedError(UnavailableError):
    """The service was stopped before its model was loaded."""


def serve(settings: SettingsT, service_from: Callable[[SettingsT], Service]) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Exit with code 1 and one line on standard error when `service_from` or loading the model raises LumenmillError, and
    at once with code 0 on a signal while the model loads.
    """
    try:
        service = service_from(settings)
    except LumenmillError as error:
        raise SystemExit(error.message) from None
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
        # The thread that loads cannot be interrupted, and would keep the process and its GPU for minutes. No call has
        # been accepted yet, so nothing is lost.
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
    try:
        incoming.write_text(json.dumps(addresses))
        incoming.replace(file)
    except OSError as error:
        raise UnavailableError(f"LUMENMILL_ADDRESS_FILE: {file} cannot be written: {error.strerror}") from error


@contextlib.asynccontextmanager
async def serving(settings: ServiceSettings, service: Service, stop: asyncio.Event | None = None) -> AsyncIterator[int]:
    """Serve inside the block and yield the bound port; health says SERVING. Leaving the block drains.

    While the model loads, the port is open and health says NOT_SERVING. If `stop` is set meanwhile, loading is
    abandoned at once, although its thread goes on. With a `stop`, loading is retried while a dependency is unavailable.

    Raises:
        UnavailableError: the port cannot be bound, or `stop` was set while the model loaded.
        LumenmillError: the error of `service.load`, or the settings of the store are wrong.
    """
    server = grpc.aio.server(interceptors=[CallInterceptor(settings, service.translate_error)], options=_OPTIONS)
    ready, health_servicer = asyncio.Event(), health_aio.HealthServicer()
    names = await _add_contracts(server, service, ready, health_servicer)
    port = _bind(server, settings)
    await server.start()
    async with contextlib.AsyncExitStack() as background:
        await background.enter_async_context(_serving_health(settings.health_address, health_servicer))
        try:
            await _load(service, stop)
        except BaseException:
            if service.jobs:
                await service.jobs.stop(0.0)
            await server.stop(None)
            raise
        try:
            ready.set()
            warm_decoders()
            await _start(service, background)
            if stop is None or not stop.is_set():
                await _set_health(health_servicer, names, _HealthStatus.SERVING)
            yield port
        finally:
            await _set_health(health_servicer, names, _HealthStatus.NOT_SERVING)
            await asyncio.sleep(min(_LAME_DUCK_S, settings.drain_s))
            await _drain(server, service, settings.drain_s)


async def _add_contracts(
    server: grpc.aio.Server, service: Service, ready: asyncio.Event, health_servicer: health_aio.HealthServicer
) -> list[str]:
    """Add the contracts of a service, health and reflection to a server, and return the names of the contracts."""
    contracts = service.all_contracts(ready)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    names = [contract.full_name for contract in contracts]
    for contract in contracts:
        contract.add_to(server)
    if service.other_calls is not None:
        server.add_generic_rpc_handlers((service.other_calls,))
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME, "grpc.health.v1.Health"], server)
    await _set_health(health_servicer, names, _HealthStatus.NOT_SERVING)
    await health_servicer.set(_LIVENESS, _HealthStatus.SERVING)
    return names


async def _start(service: Service, background: contextlib.AsyncExitStack) -> None:
    """Start what a loaded service does in the background, and its jobs."""
    for enter in service.background:
        await background.enter_async_context(enter())
    if service.jobs:
        service.jobs.start(service.model() if service.model else model_pb2.Model())


@contextlib.asynccontextmanager
async def _serving_health(address: str, health_servicer: health_aio.HealthServicer) -> AsyncIterator[None]:
    """Serve health without TLS on an address of its own: the probes of Kubernetes do not support TLS."""
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
        # Jobs end while their callers are connected, who get results rather than broken streams. The server keeps
        # serving meanwhile: callers that lost their connection can attach again, and new jobs are refused.
        await service.jobs.stop(drain_s)
    service.draining.set()
    await server.stop(_LAST_CALLS_S if service.jobs else drain_s)


async def _load(service: Service, stop: asyncio.Event | None) -> None:
    """Check the store and load the model; with a `stop`, retry after growing pauses while a dependency is unavailable.

    Raises:
        _StoppedError: `stop` was set meanwhile.
        LumenmillError: the error of `service.load`, or the settings of the store are wrong.
    """
    if service.load is None:
        return
    load, start_s = service.load, time.monotonic()

    async def attempt() -> None:
        if service.store is not None:
            await asyncio.to_thread(check_usable, service.store)
        await (service.jobs.run_in_workers(load) if service.jobs else asyncio.to_thread(load))

    state = RetryState(_NO_RETRIES if stop is None else _LOAD_RETRIES)
    await _unless_stopped(retrying(attempt, state, _report_retry), stop)
    MODEL_LOAD_DURATION.set(time.monotonic() - start_s)


def _report_retry(error: LumenmillError, delay_s: float) -> None:
    _log.warning("cannot load yet", reason=error.message, next_try_in_s=round(delay_s, 1))


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event | None) -> None:
    """Wait for work, or until `stop` is set.

    Raises:
        _StoppedError: `stop` was set.
    """
    working = asyncio.create_task(work)
    stopping = asyncio.create_task((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise _StoppedError("stopped while the model was loading")
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
    """Return TLS credentials of a server from PEM files. With `client_ca_file`, callers need a certificate of it.

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
        # None if nothing has changed: gRPC frees its certificates whenever it gets new ones, even while another thread
        # starts a handshake with them, which crashes the process (grpc/grpc#36693).
        nonlocal in_use
        if (found := read()) == in_use:
            return None
        in_use = found
        return configured(found)

    return grpc.dynamic_ssl_server_credentials(
        configured(in_use),
        changed,  # type: ignore[arg-type]  # None is documented, but missing in the stubs
        require_client_authentication=client_ca_file is not None,
    )
