"""Who makes a call, and what its role allows. The contracts state the least role of every RPC."""

import contextvars
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from google.protobuf import descriptor_pool

from lumenmill.common.v1 import access_pb2, generation_pb2
from lumenmill_common.errors import PermissionDeniedError

__all__ = [
    "ANONYMOUS",
    "ROLES",
    "Caller",
    "Role",
    "current_caller",
    "enter_call",
    "least_role",
    "require_priority",
    "role_name",
]

Role: TypeAlias = "access_pb2.CallerRole.ValueType"

_PREFIX = "CALLER_ROLE_"
ROLES: dict[str, Role] = {
    name.removeprefix(_PREFIX).lower(): number for name, number in access_pb2.CallerRole.items() if number
}
"""The roles by their names in tables and metadata, the smallest first."""
# Contracts of others, which cannot declare a role.
_REFLECTION = "grpc.reflection."
_MAX_METHODS = 1024


@dataclass(frozen=True)
class Caller:
    """Whoever makes a call, as authenticated."""

    name: str
    """Empty only where the mesh has no tokens."""
    role: Role

    @property
    def is_limited(self) -> bool:
        """Whether limits for each caller apply: not without tokens, and not to parts of the mesh, which limit their
        own calls."""
        return self.role < access_pb2.CALLER_ROLE_SERVICE

    def require(self, role: Role, action: str) -> None:
        """Check that the role of the caller is at least another one. `action` begins the message.

        Raises:
            PermissionDeniedError: it is smaller; names the role that is needed.
        """
        if self.role < role:
            raise PermissionDeniedError(
                f"{action} needs the role {role_name(role)}, and `{self.name}` has the role {role_name(self.role)}"
            )

    def require_control(self, submitter: str, action: str) -> None:
        """Check that the caller is the submitter of something, or an admin. `action` begins the message.

        Raises:
            PermissionDeniedError: it is neither.
        """
        if self.name != submitter:
            owner = f"`{submitter}`" if submitter else "no named caller"
            self.require(access_pb2.CALLER_ROLE_ADMIN, f"{action}, which {owner} submitted,")


ANONYMOUS = Caller("", access_pb2.CALLER_ROLE_SERVICE)
"""Every caller of a mesh without tokens."""

_current: contextvars.ContextVar[Caller] = contextvars.ContextVar("caller", default=ANONYMOUS)


def current_caller() -> Caller:
    """Return the caller of the RPC that is being handled; outside of RPCs the process itself, which may do all."""
    return _current.get()


def enter_call(caller: Caller) -> None:
    """Make a caller the current one for the rest of this task."""
    _current.set(caller)


def role_name(role: Role) -> str:
    """Return the name of a role in tables and messages: `submitter`."""
    return access_pb2.CallerRole.Name(role).removeprefix(_PREFIX).lower()


def require_priority(priority: "generation_pb2.JobPriority.ValueType") -> None:
    """Check that the current caller may ask for a priority.

    Raises:
        PermissionDeniedError: only larger roles may.
    """
    if priority == generation_pb2.JOB_PRIORITY_HIGH:
        current_caller().require(access_pb2.CALLER_ROLE_ADMIN, "JOB_PRIORITY_HIGH")


@lru_cache(_MAX_METHODS)
def least_role(path: str) -> Role:
    """Return the least role that may call an RPC, `/package.Service/Method`: that of its contract, else ADMIN."""
    name = path.removeprefix("/").replace("/", ".")
    if name.startswith(_REFLECTION):
        return access_pb2.CALLER_ROLE_READER
    try:
        options = descriptor_pool.Default().FindMethodByName(name).GetOptions()
    except KeyError:
        return access_pb2.CALLER_ROLE_ADMIN
    return options.Extensions[access_pb2.least_role] or access_pb2.CALLER_ROLE_ADMIN
