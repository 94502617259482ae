"""Advice for a mesh that cannot be reached; only the command knows where its address comes from."""

import re

from lumenmill_common.errors import UnavailableError
from lumenmill_common.settings import SecuritySettings

__all__ = ["with_advice"]

_NOTHING_ANSWERS = re.compile(r"(nothing answers at \S+:(\d+) \((.*?)\))")
# Messages of gRPC when the other side accepts the connection and closes it at once.
_CLOSED = re.compile(r"socket closed|connection reset|broken pipe")
_CHECK_MODELS = "it is the address of a model; check with `lumenmill models` that it runs and can be reached from here"


def with_advice(
    error: UnavailableError, address: str, security: SecuritySettings, *, is_local: bool
) -> UnavailableError:
    """Return a connection error with advice; errors that a service reports are unchanged.

    `is_local` means that `address` is that of the mesh in `--home` and was not given.
    """
    found = _NOTHING_ANSWERS.search(error.message)
    if found is None:
        return error
    sentence, port, reason = found.groups()
    rest = error.message[found.end() :]
    is_model = port != address.rpartition(":")[2]
    advice = _CHECK_MODELS if is_model and not is_local else _advice(reason, address, security, is_local=is_local)
    return UnavailableError(f"{error.message[: found.start()]}{sentence}; {advice}{rest}", error.retry_delay_s)


def _advice(reason: str, address: str, security: SecuritySettings, *, is_local: bool) -> str:
    if is_local:
        return "check with `lumenmill status` that the mesh is running"
    if _CLOSED.search(reason) and security.tls_ca_file and not security.tls_cert_file:
        return (
            "the server may require a client certificate: set LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE, "
            f"and check that {address} is running"
        )
    if _CLOSED.search(reason) and not security.tls_ca_file:
        return f"the server may require TLS: set LUMENMILL_TLS_CA_FILE, and check that {address} is running"
    return (
        f"check LUMENMILL_ADDRESS (or --address), {address}, and that the server there is running; a port-forward may "
        "have ended"
    )
