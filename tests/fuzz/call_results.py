"""Results of fuzzed calls, and the check that they are allowed for bad input."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from .contracts import Rpc
from .processes import Process

__all__ = ["CallResult", "assert_allowed", "make_call", "violations_of"]

_Code = grpc.StatusCode
_ALLOWED = {
    _Code.OK,
    _Code.INVALID_ARGUMENT,
    _Code.NOT_FOUND,
    _Code.ALREADY_EXISTS,
    _Code.FAILED_PRECONDITION,
    _Code.RESOURCE_EXHAUSTED,
    _Code.OUT_OF_RANGE,
}
_SEGMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<index>\[[^\]]*\])*")
# After this the path is one inside the value of the field, such as a path in a recipe.
_WITHIN = ":"


@dataclass
class CallResult:
    """The result of one call."""

    code: grpc.StatusCode = _Code.OK
    message: str = ""
    responses: list[Any] = field(default_factory=list)
    status: status_pb2.Status = field(default_factory=status_pb2.Status)


def make_call(process: Process, rpc: Rpc, requests: Sequence[Message], timeout_s: float) -> CallResult:
    """Make one call and wait for its end or the deadline; of a watch, for the first response."""
    make = getattr(process.channel, rpc.kind)(
        rpc.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=rpc.response_type.FromString,
    )
    result = CallResult()
    try:
        made = make(iter(requests) if rpc.method.client_streaming else requests[0], timeout=timeout_s)
        if rpc.method.server_streaming:
            for response in made:
                result.responses.append(response)
                if rpc.is_watched:
                    made.cancel()
                    break
        else:
            result.responses.append(made)
    except grpc.RpcError as error:
        result.code, result.message = error.code(), error.details() or ""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                result.status = status_pb2.Status.FromString(value)
    return result


def assert_allowed(rpc: Rpc, requests: Sequence[Message], result: CallResult, process: Process) -> None:
    """Check that the result is allowed for bad input and names the invalid field.

    Raises:
        AssertionError: it is not allowed; the message has the requests.
    """
    problem = _problem(rpc, result)
    if not process.is_alive:
        problem = f"the process ended: {process.log_file.read_text(errors='replace')[-2000:]}"
    if problem:
        sent = "\n---\n".join(_shown(request) for request in requests)
        problem += process.logged_of(result.message)
        raise AssertionError(
            f"{rpc.path} of {process.name}: {problem}\nrequest ({rpc.request_type.DESCRIPTOR.full_name}):\n{sent}"
        )


def _problem(rpc: Rpc, result: CallResult) -> str:
    if result.code is _Code.DEADLINE_EXCEEDED:
        # The client's deadline; a stream must have sent an event by then.
        is_active = rpc.method.server_streaming and result.responses
        return "" if is_active else "did not respond in time"
    if result.code is _Code.UNIMPLEMENTED and not rpc.service.startswith("lumenmill."):
        return ""
    if result.code not in _ALLOWED:
        return f"{result.code.name}: {result.message}"
    if rpc.is_heavy and result.code is _Code.OK:
        ends = [response.WhichOneof("event") for response in result.responses]
        return "" if ends.count("result") == 1 and ends[-1] == "result" else f"ended without its one result: {ends}"
    if result.code in (_Code.INVALID_ARGUMENT, _Code.OUT_OF_RANGE):
        return _wrong_violations(rpc.request_type.DESCRIPTOR, violations_of(result), result)
    return ""


def _wrong_violations(descriptor: Descriptor, violations: list[tuple[str, str]], result: CallResult) -> str:
    described = f"{result.code.name}: {result.message[:500]}"
    if not violations:
        return f"names no field: {described}"
    for name, description in violations:
        if not description:
            return f"does not say what is wrong with {name!r}: {described}"
        if not _exists(descriptor, name):
            return f"names {name!r}, which the request does not have: {described}"
    return ""


def violations_of(result: CallResult) -> list[tuple[str, str]]:
    """Return field and description of all violations in the result."""
    bad_request = error_details_pb2.BadRequest()
    return [
        (violation.field, violation.description)
        for detail in result.status.details
        if detail.Unpack(bad_request)
        for violation in bad_request.field_violations
    ]


def _exists(descriptor: Descriptor, path: str) -> bool:
    """Return whether a path names a field or oneof of a message type."""
    segments = path.partition(_WITHIN)[0].split(".")
    for number, segment in enumerate(segments):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            return False
        name, is_last = match["name"], number == len(segments) - 1
        if name in descriptor.oneofs_by_name:
            return is_last
        if name not in descriptor.fields_by_name:
            return False
        inner = descriptor.fields_by_name[name].message_type
        if inner is None:
            return is_last
        if inner.full_name == "google.protobuf.Struct":
            return True
        descriptor = inner
    return True


def _shown(message: Message) -> str:
    text = text_format.MessageToString(message, as_utf8=True)
    return text if len(text) < 6000 else f"{text[:6000]} … ({len(text)} characters)"
