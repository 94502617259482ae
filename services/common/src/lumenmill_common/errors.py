"""All errors of Lumenmill, and the gRPC status that each becomes.

LumenmillError
├── InvalidArgumentError      INVALID_ARGUMENT     the request is wrong; names the field and what is correct
│   └── OutOfRangeError       OUT_OF_RANGE         a read beyond the end of something
├── FailedPreconditionError   FAILED_PRECONDITION  correct in itself, but not for this model or in this state
├── NotFoundError             NOT_FOUND
├── AlreadyExistsError        ALREADY_EXISTS
├── PermissionDeniedError     PERMISSION_DENIED
├── UnauthenticatedError      UNAUTHENTICATED
├── ResourceExhaustedError    RESOURCE_EXHAUSTED   a queue, a store or a device is full; says when to retry
├── UnavailableError          UNAVAILABLE          a dependency of the service does not answer for now
├── DeadlineExceededError     DEADLINE_EXCEEDED
├── CancelledError            CANCELLED
├── DataLossError             DATA_LOSS            stored bytes do not match their digest
├── UnimplementedError        UNIMPLEMENTED        the contract has it, this family does not
└── InternalError             INTERNAL             a bug; its text never leaves the process
"""

from typing import ClassVar

import grpc

__all__ = [
    "AlreadyExistsError",
    "CancelledError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "LumenmillError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
]


class LumenmillError(Exception):
    """Any expected error. `code` is the gRPC status that a caller gets."""

    code: ClassVar[grpc.StatusCode]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgumentError(LumenmillError):
    """The request is wrong whatever the state of the service.

    `field` is the path in the request, for example `light.sources[1].area.irradiance`; `problem` says what is wrong and
    what is correct.
    """

    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, field: str, problem: str, *others: tuple[str, str]) -> None:
        self.violations: tuple[tuple[str, str], ...] = ((field, problem), *others)
        super().__init__("; ".join(f"{name}: {text}" if name else text for name, text in self.violations))
        self.field = field


class OutOfRangeError(InvalidArgumentError):
    """A read or an index beyond the end."""

    code = grpc.StatusCode.OUT_OF_RANGE


class FailedPreconditionError(LumenmillError):
    """The request is correct in itself, but not for this model or state; `field` may name the part that conflicts."""

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


class NotFoundError(LumenmillError):
    """What the request names does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExistsError(LumenmillError):
    """What the request would create exists already and is different."""

    code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDeniedError(LumenmillError):
    """The caller is authenticated and not allowed to do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class UnauthenticatedError(LumenmillError):
    """The caller is not authenticated."""

    code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhaustedError(LumenmillError):
    """A queue, a store or a device is full. `retry_delay_s` is the time after which a retry makes sense."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, retry_delay_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_delay_s = retry_delay_s


class UnavailableError(LumenmillError):
    """A dependency of this service does not answer for now; the same request may succeed later."""

    code = grpc.StatusCode.UNAVAILABLE

    def __init__(self, message: str, retry_delay_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_delay_s = retry_delay_s


class DeadlineExceededError(LumenmillError):
    """The caller's deadline passed, or cannot be met."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class CancelledError(LumenmillError):
    """The caller disconnected or cancelled, and the work stopped."""

    code = grpc.StatusCode.CANCELLED


class DataLossError(LumenmillError):
    """Stored bytes do not match their digest."""

    code = grpc.StatusCode.DATA_LOSS


class UnimplementedError(LumenmillError):
    """The contract has this RPC, the family or service does not."""

    code = grpc.StatusCode.UNIMPLEMENTED


class InternalError(LumenmillError):
    """A bug. Callers get only a reference to the log."""

    code = grpc.StatusCode.INTERNAL
