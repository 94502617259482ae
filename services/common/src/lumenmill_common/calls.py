"""Calling a service: channels, and heavy calls that survive broken connections and restarts on either side."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from lumenmill_common.client_interceptors import client_interceptors
from lumenmill_common.errors import LumenmillError, ResourceExhaustedError, UnavailableError
from lumenmill_common.reloading_channel import ReloadingChannel
from lumenmill_common.serve import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.status import error_from_rpc, is_from_service

__all__ = ["RetryPolicy", "call_heavy", "call_unary", "connect"]

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)
_RequestT_contra = TypeVar("_RequestT_contra", bound=Message, contravariant=True)
_ResponseT_co = TypeVar("_ResponseT_co", bound=Message, covariant=True)

_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # A call may wait an hour for its next event: find out by pings whether the other side still lives.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class StreamMethod(Protocol[_RequestT_contra, _ResponseT_co]):
    """A server-streaming method of a stub."""

    def __call__(self, request: _RequestT_contra, /, *, timeout: float | None = None) -> AsyncIterator[_ResponseT_co]:
        """Starts the call."""


class UnaryMethod(Protocol[_RequestT_contra, _ResponseT_co]):
    """A unary method of a stub."""

    def __call__(self, request: _RequestT_contra, /, *, timeout: float | None = None) -> Awaitable[_ResponseT_co]:
        """Makes the call."""


@dataclass(frozen=True)
class RetryPolicy:
    """When a heavy call is tried again. Only UNAVAILABLE and RESOURCE_EXHAUSTED ever are."""

    max_attempts: int = 8
    """Attempts that the service itself may refuse, and attempts in a row that may break without any news from it."""
    initial_backoff_s: float = 0.2
    max_backoff_s: float = 15.0

    def delay_s(self, attempt: int, asked_for_s: float | None) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1), at least what the service asked for."""
        backoff_s = min(self.initial_backoff_s * 2 ** (attempt - 1), self.max_backoff_s)
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - spreads callers, no secret
        return float(max(asked_for_s or 0.0, backoff_s) * spread)


def connect(
    address: str, security: SecuritySettings, *, one_process: bool = False, tls_name: str | None = None
) -> grpc.aio.Channel:
    """A channel to a service, `host:port` or `dns:///name:port`, balanced over all its addresses.

    TLS is on when `security` names a CA file, and then a client certificate is shown when one is set; files that change
    are used for the calls that are made from then on. The token is sent when one is set. `one_process` is for callers
    who choose between the processes of a service themselves: calls then reach the process whatever its health says, and
    a failed one is told at once rather than made again. `tls_name` is the name that its certificate has, where
    `address` is a number.

    Raises:
        OSError: a file of certificates cannot be read.
    """
    options: list[tuple[str, Any]] = list(_OPTIONS)
    if one_process:
        options += [("grpc.inhibit_health_checking", 1), ("grpc.enable_retries", 0)]
    interceptors = client_interceptors(security)
    if security.tls_ca_file is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    if tls_name is not None:
        options.append(("grpc.ssl_target_name_override", tls_name))
    files = [security.tls_ca_file]
    if security.tls_key_file is not None and security.tls_cert_file is not None:
        files += [security.tls_key_file, security.tls_cert_file]

    def open_channel(contents: Sequence[bytes]) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(*contents)
        return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)

    return ReloadingChannel(files, open_channel)


async def call_unary(
    method: UnaryMethod[RequestT, ResponseT], request: RequestT, *, timeout_s: float | None = 30.0
) -> ResponseT:
    """A unary call whose failure is one of our errors.

    Raises:
        LumenmillError: the one that the service's status stands for.
    """
    try:
        return await method(request, timeout=timeout_s)
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error


async def call_heavy(
    method: StreamMethod[RequestT, ResponseT],
    request: RequestT,
    *,
    on_event: Callable[[ResponseT], None] | None = None,
    on_retry: Callable[[LumenmillError], None] | None = None,
    timeout_s: float | None = None,
    retry: RetryPolicy | None = None,
) -> Any:
    """Makes a heavy call and returns its result message; re-attaches by the request id when the connection breaks.

    `on_event` sees every queued and progress event; `on_retry` every error that is followed by another attempt.
    `timeout_s` bounds the whole; the job itself lives on for the service's grace period.

    Raises:
        LumenmillError: the one that the service's last status stands for.
    """
    async with asyncio.timeout(None if timeout_s is None else timeout_s + 1.0):
        return await _with_retries(method, request, on_event, on_retry, timeout_s, retry or RetryPolicy())


async def _with_retries(
    method: StreamMethod[RequestT, ResponseT],
    request: RequestT,
    on_event: Callable[[ResponseT], None] | None,
    on_retry: Callable[[LumenmillError], None] | None,
    timeout_s: float | None,
    retry: RetryPolicy,
) -> Any:
    loop = asyncio.get_running_loop()
    deadline_s = None if timeout_s is None else loop.time() + timeout_s
    num_silent, num_refused = 0, 0
    while True:
        try:
            async for response in method(request, timeout=None if deadline_s is None else deadline_s - loop.time()):
                num_silent = 0
                if response.WhichOneof("event") == "result":
                    return response.result  # type: ignore[attr-defined]  # every heavy response has it
                if on_event:
                    on_event(response)
            error: LumenmillError = UnavailableError("the service ended the call without a result")
            refused = False
        except grpc.RpcError as broken:
            error, refused = error_from_rpc(broken), is_from_service(broken)
        num_refused, num_silent = num_refused + refused, num_silent + (not refused)
        asked_for_s = getattr(error, "retry_delay_s", None)
        attempt = max(num_refused, num_silent)
        permanent = asked_for_s is None or (isinstance(error, ResourceExhaustedError) and asked_for_s == 0.0)
        if permanent or attempt >= retry.max_attempts:
            raise error
        if on_retry:
            on_retry(error)
        await asyncio.sleep(retry.delay_s(attempt, asked_for_s))
