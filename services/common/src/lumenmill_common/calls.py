"""Calling a service: channels, and heavy calls that survive broken connections and restarts on either side."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from lumenmill_common.client_interceptors import client_interceptors
from lumenmill_common.errors import DeadlineExceededError, LumenmillError, ResourceExhaustedError, UnavailableError
from lumenmill_common.loopback import is_loopback
from lumenmill_common.reloading_channel import ReloadingChannel
from lumenmill_common.retries import RetryPolicy, RetryState, retrying
from lumenmill_common.serve import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.status import error_from_rpc

__all__ = ["attempt_heavy", "call_heavy", "call_unary", "connect", "is_cancellation_requested"]

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
    # A call may wait an hour for its next event: find out by pings whether the other side still lives. A busy
    # machine may answer late.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

# A caller that waits in person: outages and refusals of up to about half a minute.
_HEAVY_RETRIES = RetryPolicy({UnavailableError: 8, ResourceExhaustedError: 8}, max_outages=7)


class StreamMethod(Protocol[_RequestT_contra, _ResponseT_co]):
    """A server-streaming method of a stub."""

    def __call__(self, request: _RequestT_contra, /, *, timeout: float | None = None) -> AsyncIterator[_ResponseT_co]:
        """Start the call."""


class UnaryMethod(Protocol[_RequestT_contra, _ResponseT_co]):
    """A unary method of a stub."""

    def __call__(self, request: _RequestT_contra, /, *, timeout: float | None = None) -> Awaitable[_ResponseT_co]:
        """Make the call."""


def connect(
    address: str, security: SecuritySettings, *, one_process: bool = False, tls_name: str | None = None
) -> grpc.aio.Channel:
    """Return a channel to a service, `host:port` or `dns:///name:port`, balanced over all its addresses.

    TLS is on when `security` names a CA file, and then a client certificate is shown when one is set; files that change
    are used for the calls that are made from then on. The token is sent when one is set. `one_process` is for callers
    who choose between the processes of a service themselves: calls then reach the process whatever its health says, and
    a failed one is reported at once rather than made again. `tls_name` is the name that its certificate has, where
    `address` is a number. This machine is reached directly, whatever proxy the environment names.

    Raises:
        OSError: a file of certificates cannot be read.
    """
    options: list[tuple[str, Any]] = list(_OPTIONS)
    if one_process:
        options += [("grpc.inhibit_health_checking", 1), ("grpc.enable_retries", 0)]
    if is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))
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
    """Make a unary call whose failure is one of our errors.

    Raises:
        UnavailableError: also when the channel is closed meanwhile.
        LumenmillError: the one that the service's status stands for.
    """
    with _status_errors():
        return await method(request, timeout=timeout_s)


async def call_heavy(
    method: StreamMethod[RequestT, ResponseT],
    request: RequestT,
    *,
    on_event: Callable[[ResponseT], None] | None = None,
    on_retry: Callable[[LumenmillError], None] | None = None,
    timeout_s: float | None = None,
    retry: RetryPolicy = _HEAVY_RETRIES,
) -> Any:
    """Make a heavy call and return its result message; re-attach by the request id when the connection breaks.

    `on_event` sees every queued and progress event; `on_retry` every error that is followed by another attempt.
    `timeout_s` bounds the whole; the job itself lives on for the service's grace period.

    Raises:
        DeadlineExceededError: `timeout_s` passed, in an attempt or between two.
        LumenmillError: the one that the service's last status stands for.
    """
    loop, state = asyncio.get_running_loop(), RetryState(retry)
    deadline_s = None if timeout_s is None else loop.time() + timeout_s

    def on_answer(response: ResponseT) -> None:
        state.answered()
        if on_event:
            on_event(response)

    async def attempt() -> Any:
        left_s = None if deadline_s is None else deadline_s - loop.time()
        return await attempt_heavy(method, request, on_event=on_answer, timeout_s=left_s)

    try:
        # The service's own answer to the deadline is preferred: it gets a second to arrive.
        async with asyncio.timeout_at(None if deadline_s is None else deadline_s + 1.0):
            return await retrying(attempt, state, lambda error, _: on_retry(error) if on_retry else None)
    except TimeoutError as error:
        raise DeadlineExceededError(f"no result within {timeout_s:.1f} s") from error


async def attempt_heavy(
    method: StreamMethod[RequestT, ResponseT],
    request: RequestT,
    *,
    on_event: Callable[[ResponseT], None],
    timeout_s: float | None = None,
) -> Any:
    """Make a single attempt at a heavy call and return its result message.

    Raises:
        UnavailableError: also when the channel is closed meanwhile.
        LumenmillError: the one that the service's status stands for.
    """
    with _status_errors():
        async for response in method(request, timeout=timeout_s):
            if response.WhichOneof("event") == "result":
                return response.result  # type: ignore[attr-defined]  # every heavy response has it
            on_event(response)
    raise UnavailableError("the service ended the call without a result")


def is_cancellation_requested() -> bool:
    """Whether somebody has cancelled the current task. Otherwise a `CancelledError` in it comes from what it awaits, as
    when the channel of a call is closed."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@contextlib.contextmanager
def _status_errors() -> Iterator[None]:
    """Raise our error for the status of a call, and UNAVAILABLE for one whose channel was closed."""
    try:
        yield
    except grpc.RpcError as error:
        raise error_from_rpc(error) from error
    except asyncio.CancelledError as error:
        if is_cancellation_requested():
            raise
        raise UnavailableError("the connection was closed", retry_delay_s=0.0) from error
