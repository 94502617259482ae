"""Maps exceptions to gRPC statuses and back; no other module does."""

import re
import uuid
from typing import Any
from urllib.parse import unquote

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from lumenmill_common import errors
from lumenmill_common.errors import (
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    LumenmillError,
    OutOfRangeError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.full_disk import full_disk_error, is_disk_full

__all__ = ["error_from_rpc", "rich_status"]

# Trailers of a call have their own size limits: a recipe with a hundred problems must not become a transport error.
_MAX_MESSAGE, _MAX_VIOLATIONS, _MAX_PROBLEM = 1500, 24, 300
# How gRPC's details begin when no connection could be made, rather than when one was lost, and how they end when the
# server closed it.
_FAILED_TO_CONNECT = re.compile("connections to all backends failing|failed to connect to all addresses", re.IGNORECASE)
_CLOSED = re.compile("socket closed|connection reset|broken pipe", re.IGNORECASE)
_DETAILS_KEY = "grpc-status-details-bin"
_log = structlog.get_logger(__name__)


def rich_status(
    error: BaseException, request_id: str = ""
) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Return code, message and trailing metadata (google.rpc.Status details) for an error.

    InternalErrors and errors that are no LumenmillErrors are bugs: they are logged with a reference, and callers get
    only the reference.
    A full disk is not a bug: the error of any file that found no space is RESOURCE_EXHAUSTED.
    """
    if is_disk_full(error):
        _log.warning("no space left", request_id=request_id, exc_info=error)
        error = full_disk_error("temporary files of the service", str(getattr(error, "strerror", "")))
    if isinstance(error, InternalError) or not isinstance(error, LumenmillError):
        reference = uuid.uuid4().hex[:12]
        _log.error("unexpected error", reference=reference, request_id=request_id, exc_info=error)
        code, message, details = grpc.StatusCode.INTERNAL, f"internal error, reference {reference} in the log", []
    else:
        code, message, details = error.code, error.message, _details_of(error)
    if request_id:
        details.append(_pack(error_details_pb2.RequestInfo(request_id=request_id)))
    message = _text(message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]} …")
    status = status_pb2.Status(code=code.value[0], message=message, details=details)
    return code, message, ((_DETAILS_KEY, status.SerializeToString()),)


def _details_of(error: LumenmillError) -> list[any_pb2.Any]:
    if isinstance(error, InvalidArgumentError):
        bad_request = error_details_pb2.BadRequest()
        for field, problem in _within_bounds(error.violations):
            bad_request.field_violations.add(field=field, description=problem)
        return [_pack(bad_request)]
    if isinstance(error, FailedPreconditionError):
        failure = error_details_pb2.PreconditionFailure()
        failure.violations.add(type="PRECONDITION", subject=_text(error.field), description=_text(error.message))
        return [_pack(failure)]
    if isinstance(error, ResourceExhaustedError | UnavailableError):
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_delay_s * 1e9))
        return [_pack(error_details_pb2.RetryInfo(retry_delay=delay))]
    return []


def _within_bounds(violations: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    shown = [
        (_text(field[:_MAX_PROBLEM]), _text(problem[:_MAX_PROBLEM])) for field, problem in violations[:_MAX_VIOLATIONS]
    ]
    num_left = len(violations) - len(shown)
    if num_left:
        field, problem = shown[-1]
        shown[-1] = (field, f"{problem}; and {num_left} more violations")
    return shown


def _text(text: str) -> str:
    """Return valid UTF-8: text that is quoted from JSON may contain halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def error_from_rpc(error: grpc.RpcError) -> LumenmillError:
    """Return the LumenmillError of a failed call, with the fields and delays that the service named.

    Statuses that no Lumenmill service sends (UNKNOWN, ABORTED) become InternalError.
    """
    code, message = error.code(), error.details() or ""
    status = _status_of(error)
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
        violations = _violations(status) or [("", message)]
        kind = OutOfRangeError if code is grpc.StatusCode.OUT_OF_RANGE else InvalidArgumentError
        return kind(*violations[0], *violations[1:])
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Without a delay it comes from gRPC itself: the message is too large, and a retry is useless.
        return ResourceExhaustedError(message, _retry_delay_s(status, default_s=0.0))
    if code is grpc.StatusCode.UNAVAILABLE:
        shown = message if _is_from_service(error) else _unreachable(message)
        return UnavailableError(shown, _retry_delay_s(status, default_s=0.0))
    return _SIMPLE.get(code, InternalError)(message)


def _unreachable(details: str) -> str:
    """Return a readable text for gRPC's details of a failed connection."""
    address = re.search(r"ipv[46]:(\[[^\]]+\]:\d+|[^;\s]+?:\d+): (.*)", unquote(details))
    if address is None:
        return f"the connection was lost: {details}"
    if "handshake failed" in address[2].lower():
        return f"{address[1]} answers, but not by our TLS: check LUMENMILL_TLS_CA_FILE, the certificate and its names"
    if "failed parsing http/2" in address[2].lower():
        return f"{address[1]} answers, but not by gRPC: check the address and its port"
    reason = address[2].rpartition(": ")[2].rstrip("}") or address[2]
    if _FAILED_TO_CONNECT.match(details) and _CLOSED.search(reason):
        return (
            f"{address[1]} closes the connection at once, as a server with TLS does when it is called without TLS, or "
            "without the certificate of a caller that it requires: check LUMENMILL_TLS_CA_FILE, "
            "LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE"
        )
    return f"nothing answers at {address[1]} ({reason.lower()})"


def _is_from_service(error: grpc.RpcError) -> bool:
    """Return whether a service sent this status itself; false for connections that broke or were not established."""
    return bool(_status_of(error).code != 0)


_SIMPLE: dict[grpc.StatusCode, type[LumenmillError]] = {
    kind.code: kind
    for kind in (
        errors.FailedPreconditionError,
        errors.NotFoundError,
        errors.AlreadyExistsError,
        errors.PermissionDeniedError,
        errors.UnauthenticatedError,
        errors.DeadlineExceededError,
        errors.CancelledError,
        errors.DataLossError,
        errors.UnimplementedError,
        InternalError,
    )
}


def _status_of(error: grpc.RpcError) -> status_pb2.Status:
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()


def _retry_delay_s(status: status_pb2.Status, default_s: float) -> float:
    info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return float(info.retry_delay.ToNanoseconds()) / 1e9
    return default_s


def _violations(status: status_pb2.Status) -> list[tuple[str, str]]:
    bad_request = error_details_pb2.BadRequest()
    for detail in status.details:
        if detail.Unpack(bad_request):
            return [(violation.field, violation.description) for violation in bad_request.field_violations]
    return []
