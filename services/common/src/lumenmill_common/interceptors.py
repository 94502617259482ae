"""What every call passes through: caller and role, bounds, errors, metrics, log and trace context."""

import asyncio
import inspect
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import protovalidate
import structlog
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from opentelemetry import context as trace_context

from lumenmill_common.authentication import Authenticator
from lumenmill_common.caller import ANONYMOUS, enter_call, least_role
from lumenmill_common.errors import (
    InvalidArgumentError,
    LumenmillError,
    UnimplementedError,
)
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.status import rich_status
from lumenmill_common.telemetry import RPC_DURATION, UNAUTHENTICATED_CALLS, extract_trace_context, get_logger

__all__ = ["CallInterceptor", "check_bounds", "field_path"]

_log = get_logger(__name__)
# Health probes carry no token, and get nothing but SERVING or NOT_SERVING.
_PUBLIC_SERVICE = "/grpc.health.v1.Health/"
_QUOTED = re.compile(r"`(\w+)`")
# Checked on the event loop, a message of the largest size would keep all other calls waiting for half a minute.
_LARGE_BYTES = 32 << 10
_CHECKS = ThreadPoolExecutor(2, thread_name_prefix="bounds")
# Calls that the caller ends are normal: no error is logged for them. Bugs are logged with their reference.
_QUIET = {grpc.StatusCode.CANCELLED, grpc.StatusCode.OK, grpc.StatusCode.INTERNAL}


class CallInterceptor(grpc.aio.ServerInterceptor):
    """The one interceptor of a server."""

    def __init__(
        self, security: SecuritySettings, translate_error: Callable[[Exception], Exception] = lambda error: error
    ) -> None:
        """`translate_error` returns the LumenmillError for an error of a library that the service knows.

        Raises:
            InvalidArgumentError: the file of callers, or of the token, is unreadable, empty or malformed.
        """
        self._authenticator, self._translate_error = Authenticator(security), translate_error

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], "Awaitable[grpc.RpcMethodHandler[Any, Any] | None]"],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handler of one call; one that is not allowed gets a handler that refuses it.

        A caller without a token learns neither which RPCs exist nor anything else, and no messages of refused calls are
        read.
        """
        call = _Call(handler_call_details, self._authenticator, self._translate_error)
        try:
            call.authenticate()
        except Exception as error:
            return _refusing(call.refuse_unread, error)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        try:
            call.authorize()
        except Exception as error:
            return _refusing(call.fail, error)
        return _wrapped(handler, call)


class _Call:
    """One call in the interceptor."""

    def __init__(
        self,
        details: grpc.HandlerCallDetails,
        authenticator: Authenticator,
        translate_error: Callable[[Exception], Exception],
    ) -> None:
        self._method = details.method
        self._metadata = {key: value for key, value in details.invocation_metadata or () if isinstance(value, str)}
        self._authenticator, self._translate_error = authenticator, translate_error
        self._caller = ANONYMOUS
        self._request_id = ""
        self._started_s = time.monotonic()

    def authenticate(self) -> None:
        """Find out who calls; errors as `Authenticator.caller`. Health probes are everybody's."""
        if not self._method.startswith(_PUBLIC_SERVICE):
            self._caller = self._authenticator.caller(self._metadata)

    def authorize(self) -> None:
        """Check that the role of the caller allows the RPC.

        Raises:
            PermissionDeniedError: the role is too small; names the one that is needed.
        """
        if not self._method.startswith(_PUBLIC_SERVICE):
            self._caller.require(least_role(self._method), self._method)

    async def enter(self, request: Any) -> None:
        """Bind the call's identity to logs and traces, and check the bounds of the request."""
        options = getattr(request, "job", None)
        self._request_id = getattr(options, "request_id", "") or self._metadata.get("x-request-id", "")
        structlog.contextvars.bind_contextvars(method=self._method, request_id=self._request_id)
        trace_context.attach(extract_trace_context(self._metadata))
        enter_call(self._caller)
        structlog.contextvars.bind_contextvars(caller=self._caller.name)
        if isinstance(request, Message):
            await _check_bounds(request)

    def count(self, code: grpc.StatusCode) -> None:
        """Record duration and status of the call."""
        RPC_DURATION.labels(self._method, code.name).observe(time.monotonic() - self._started_s)

    async def refuse_unread(self, error: Exception, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        """End a call of which it is not known whether its RPC exists.

        Anybody can make any number of them, with any names: a counter counts them by status, and none is logged.
        """
        code, message, metadata = rich_status(error)
        UNAUTHENTICATED_CALLS.labels(code.name).inc()
        await context.abort(code, message, metadata)

    async def fail(self, error: Exception, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        """End the call with the status of an error."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        # Generated methods that are not overridden, such as List of the health service, set this code and then raise.
        if context.code() == grpc.StatusCode.UNIMPLEMENTED:
            error = UnimplementedError(f"{self._method} is not served here")
        error = self._translate_error(error)
        code, message, metadata = rich_status(error, self._request_id)
        self.count(code)
        if isinstance(error, LumenmillError) and code not in _QUIET:
            _log.info("call refused", code=code.name, reason=message)
        await context.abort(code, message, metadata)


async def _check_bounds(request: Message) -> None:
    """As `check_bounds`; large messages are checked in a thread, since every value in them takes microseconds."""
    if request.ByteSize() <= _LARGE_BYTES:
        check_bounds(request)
    else:
        await asyncio.get_running_loop().run_in_executor(_CHECKS, check_bounds, request)


def check_bounds(request: Message) -> None:
    """Check a message against the bounds of its proto.

    Raises:
        InvalidArgumentError: names every field that is out of bounds, and the bound; or those that contain the
            character NUL, which databases, file names and YAML do not allow.
    """
    violations = [
        (field_path(violation.proto.field) or _first_named(request, violation.proto.message), violation.proto.message)
        for violation in protovalidate.collect_violations(request)
    ]
    violations += [(field, "must not hold the character NUL") for field in _fields_with_nul(request, "")]
    if violations:
        (field, problem), *others = violations
        raise InvalidArgumentError(field, problem, *others)


def field_path(field: Any) -> str:
    """Return a path of protovalidate as text, such as `variants[0].light`; empty for the whole message (None)."""
    text = ""
    for element in field.elements if field is not None else ():
        text += f".{element.field_name}"
        subscript = element.subscript
        if subscript is not None:
            text += f"[{subscript.value}]"
    return text.removeprefix(".")


def _fields_with_nul(message: Message, path: str) -> Iterator[str]:
    for field, value in message.ListFields():
        place = f"{path}{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            parts = [*value, *value.values()]
            if any(_has_nul(part) for part in parts):
                yield place
        elif field.message_type is not None or field.type == FieldDescriptor.TYPE_STRING:
            for index, part in enumerate(value if field.is_repeated else [value]):
                here = f"{place}[{index}]" if field.is_repeated else place
                if isinstance(part, Message):
                    yield from _fields_with_nul(part, f"{here}.")
                elif "\0" in part:
                    yield here


def _has_nul(part: Any) -> bool:
    if isinstance(part, Message):
        return any(_fields_with_nul(part, ""))
    return isinstance(part, str) and "\0" in part


def _first_named(request: Message, problem: str) -> str:
    """Return the first field that the text of a rule names, such as "set `prompt`, `scene` or both"."""
    return next((name for name in _QUOTED.findall(problem) if name in request.DESCRIPTOR.fields_by_name), "")


def _wrapped(handler: Any, call: _Call) -> "grpc.RpcMethodHandler[Any, Any]":
    codec = {"request_deserializer": handler.request_deserializer, "response_serializer": handler.response_serializer}
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, call), **codec)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream, call), **codec)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(_unary(handler.stream_unary, call), **codec)
    return grpc.stream_stream_rpc_method_handler(_stream(handler.stream_stream, call), **codec)


def _refusing(
    end: Callable[[Exception, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[None]], error: Exception
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return a handler that refuses a call of any kind at once: one for streams is called before a message arrives."""

    async def refuse(_: AsyncIterator[bytes], context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        await end(error, context)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _unary(behaviour: Callable[..., Awaitable[Any]], call: _Call) -> Callable[..., Awaitable[Any]]:
    async def answer(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
        try:
            await call.enter(request)
            response = await behaviour(_checked(request), context)
        except Exception as error:
            await call.fail(error, context)
        else:
            call.count(grpc.StatusCode.OK)
            return response

    return answer


def _stream(behaviour: Callable[..., Any], call: _Call) -> Callable[..., AsyncIterator[Any]]:
    async def answer(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Any]:
        try:
            await call.enter(request)
            responses = behaviour(_checked(request), context)
            if inspect.isawaitable(responses):  # a servicer that writes to the context itself, as that of health does
                await responses
            else:
                async for response in responses:
                    yield response
        except Exception as error:
            await call.fail(error, context)
        else:
            call.count(grpc.StatusCode.OK)

    return answer


def _checked(request: Any) -> Any:
    """Return a stream of requests in which every message is checked; a single request is checked in `enter`."""
    if isinstance(request, Message):
        return request

    async def checked() -> AsyncIterator[Any]:
        async for message in request:
            await _check_bounds(message)
            yield message

    return checked()
