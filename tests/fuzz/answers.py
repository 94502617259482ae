"""What a service may answer to bad input, and what it may not."""

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

__all__ = ["Answer", "ask", "assert_right", "violations_of"]

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
_STEP = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<index>\[[^\]]*\])*")
# Beyond this the path goes on inside of what the field holds, such as a recipe's own paths.
_WITHIN = ":"


@dataclass
class Answer:
    """What came back from one call."""

    code: grpc.StatusCode = _Code.OK
    message: str = ""
    responses: list[Any] = field(default_factory=list)
    status: status_pb2.Status = field(default_factory=status_pb2.Status)


def ask(process: Process, rpc: Rpc, requests: Sequence[Message], timeout_s: float) -> Answer:
    """Makes one call and waits for its end, or for our own deadline; of what is watched, for the first answer."""
    make = getattr(process.channel, rpc.kind)(
        rpc.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=rpc.response_type.FromString,
    )
    answer = Answer()
    try:
        made = make(iter(requests) if rpc.method.client_streaming else requests[0], timeout=timeout_s)
        if rpc.method.server_streaming:
            for response in made:
                answer.responses.append(response)
                if rpc.is_watched:
                    made.cancel()
                    break
        else:
            answer.responses.append(made)
    except grpc.RpcError as error:
        answer.code, answer.message = error.code(), error.details() or ""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                answer.status = status_pb2.Status.FromString(value)
    return answer


def assert_right(rpc: Rpc, requests: Sequence[Message], answer: Answer, process: Process) -> None:
    """The answer is one of those that bad input may get, and says which field is wrong.

    Raises:
        AssertionError: it is not; tells the messages that brought it about.
    """
    problem = _problem(rpc, answer)
    if not process.is_alive:
        problem = f"the process ended: {process.log_file.read_text(errors='replace')[-2000:]}"
    if problem:
        sent = "\n---\n".join(_shown(request) for request in requests)
        problem += process.logged_of(answer.message)
        raise AssertionError(
            f"{rpc.path} of {process.name}: {problem}\nrequest ({rpc.request_type.DESCRIPTOR.full_name}):\n{sent}"
        )


def _problem(rpc: Rpc, answer: Answer) -> str:
    if answer.code is _Code.DEADLINE_EXCEEDED:
        # Our own deadline: whoever answers in a stream must have said by then that it is at work.
        lives = rpc.method.server_streaming and answer.responses
        return "" if lives else "did not answer in time"
    if answer.code is _Code.UNIMPLEMENTED and not rpc.service.startswith("lumenmill."):
        return ""
    if answer.code not in _ALLOWED:
        return f"{answer.code.name}: {answer.message}"
    if rpc.is_heavy and answer.code is _Code.OK:
        ends = [response.WhichOneof("event") for response in answer.responses]
        return "" if ends.count("result") == 1 and ends[-1] == "result" else f"ended without its one result: {ends}"
    if answer.code in (_Code.INVALID_ARGUMENT, _Code.OUT_OF_RANGE):
        return _wrong_violations(rpc.request_type.DESCRIPTOR, violations_of(answer), answer)
    return ""


def _wrong_violations(descriptor: Descriptor, violations: list[tuple[str, str]], answer: Answer) -> str:
    told = f"{answer.code.name}: {answer.message[:500]}"
    if not violations:
        return f"names no field: {told}"
    for name, description in violations:
        if not description:
            return f"does not say what is wrong with {name!r}: {told}"
        if not _exists(descriptor, name):
            return f"names {name!r}, which the request does not have: {told}"
    return ""


def violations_of(answer: Answer) -> list[tuple[str, str]]:
    """Field and description of every violation that the answer names."""
    bad_request = error_details_pb2.BadRequest()
    return [
        (violation.field, violation.description)
        for detail in answer.status.details
        if detail.Unpack(bad_request)
        for violation in bad_request.field_violations
    ]


def _exists(descriptor: Descriptor, path: str) -> bool:
    """Whether a path names a field, or a oneof, of a message type."""
    steps = path.partition(_WITHIN)[0].split(".")
    for number, step in enumerate(steps):
        match = _STEP.fullmatch(step)
        if match is None:
            return False
        name, is_last = match["name"], number == len(steps) - 1
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
