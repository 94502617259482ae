"""Address and credentials of the mesh."""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, field_validator

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import SecuritySettings, read_settings

__all__ = ["ClientSettings", "check_address", "read_security"]

# `host:port`, or a target of gRPC: a name to resolve, numbers of several servers, a socket file.
_HOST_PORT = r"(?:[^\s:/,\[\]]+|\[[^\s/,\[\]]+\]):\d{1,5}"
_ADDRESS = re.compile(rf"(?:dns:(?://[^\s/]*/)?)?{_HOST_PORT}|ipv[46]:{_HOST_PORT}(?:,{_HOST_PORT})*|unix:\S+")


def check_address(address: str) -> str:
    """Return an address of a server, or an empty text, unchanged.

    Raises:
        ValueError: it is neither `host:port` nor a target of gRPC such as `dns:///host:port`; the message continues
            the name of what holds it.
    """
    if address and not _ADDRESS.fullmatch(address):
        raise ValueError(f"must be host:port, such as localhost:50051, and not {address!r}")
    return address


class ClientSettings(SecuritySettings):
    """Settings of a client. Each field is read from the environment variable LUMENMILL_<FIELD>, in capitals."""

    address: str = Field(
        default="",
        description="host:port of the orchestrator. Empty: that of the mesh that `lumenmill up` started in `home`.",
    )
    home: Path = Field(default=Path(".lumenmill"), description="State of the mesh on this machine.")

    _has_host_and_port = field_validator("address")(check_address)


SecurityT = TypeVar("SecurityT", bound=SecuritySettings)
# `tls_client_ca_file` is only for servers, and may be readable only for them.
_FILES_OF_CLIENTS = ("tls_ca_file", "tls_cert_file", "tls_key_file", "token_file")


def read_security(settings_type: type[SecurityT], **given: Any) -> SecurityT:
    """Return the settings of the environment after checking that their files are readable; `given` takes precedence.

    Raises:
        InvalidArgumentError: names every invalid variable and its meaning.
    """
    settings = read_settings(settings_type, **given)
    unreadable = [violation for name in _FILES_OF_CLIENTS if (violation := _unreadable(settings, name))]
    if unreadable:
        raise InvalidArgumentError(*unreadable[0], *unreadable[1:])
    return settings


def _unreadable(settings: SecuritySettings, name: str) -> tuple[str, str] | None:
    """Return the variable of a file that cannot be read, and the problem."""
    file: Path | None = getattr(settings, name)
    if file is None:
        return None
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        purpose = SecuritySettings.model_fields[name].description
        return f"LUMENMILL_{name.upper()}", f"{str(file)!r} cannot be read: {error.strerror}. Its content: {purpose}"
