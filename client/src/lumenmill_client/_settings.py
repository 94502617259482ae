"""Where the mesh is and how to prove who we are."""

from pathlib import Path
from typing import Any, TypeVar

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import SecuritySettings, read_settings
from pydantic import Field

__all__ = ["ClientSettings", "read_security"]


class ClientSettings(SecuritySettings):
    """What a client reads. Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    address: str = Field(
        default="",
        description="host:port of the orchestrator. Empty: that of the mesh that `lumenmill up` started in `home`.",
    )
    home: Path = Field(default=Path(".lumenmill"), description="State of the mesh on this machine.")


SecurityT = TypeVar("SecurityT", bound=SecuritySettings)
# `tls_client_ca_file` is for servers alone, and may be readable for them alone.
_READ_BY_CLIENTS = ("tls_ca_file", "tls_cert_file", "tls_key_file", "token_file")


def read_security(settings_type: type[SecurityT], **given: Any) -> SecurityT:
    """The settings of the environment, whose files can be read; what is given goes before it.

    Raises:
        InvalidArgumentError: names every wrong variable and what would be right.
    """
    settings = read_settings(settings_type, **given)
    unread = [violation for name in _READ_BY_CLIENTS if (violation := _unread(settings, name))]
    if unread:
        raise InvalidArgumentError(*unread[0], *unread[1:])
    return settings


def _unread(settings: SecuritySettings, name: str) -> tuple[str, str] | None:
    """The variable of a file that cannot be read, and what the file should hold."""
    file: Path | None = getattr(settings, name)
    if file is None:
        return None
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        purpose = SecuritySettings.model_fields[name].description
        return f"LUMENMILL_{name.upper()}", f"{str(file)!r} cannot be read: {error.strerror}. It should be: {purpose}"
