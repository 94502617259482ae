"""What to look at when the mesh cannot be reached: only the command knows how it was told where the mesh is."""

import re

from lumenmill_common.errors import UnavailableError
from lumenmill_common.settings import SecuritySettings

__all__ = ["with_advice"]

_NOTHING_ANSWERS = re.compile(r"(nothing answers at \S+:(\d+) \((.*?)\))")
# How gRPC tells that the other side took the connection and hung up at once.
_HUNG_UP = re.compile(r"socket closed|connection reset|broken pipe")
_ASK_MODELS = "the mesh has a model there; is that up, and can it be reached from here? `lumenmill models` tells"


def with_advice(
    error: UnavailableError, address: str, security: SecuritySettings, *, is_local: bool
) -> UnavailableError:
    """The error of a connection, with what to look at next; what a service says itself stays as it is.

    `is_local` when `address` is that of the mesh in `--home`, rather than one that was given.
    """
    found = _NOTHING_ANSWERS.search(error.message)
    if found is None:
        return error
    sentence, port, reason = found.groups()
    after = error.message[found.end() :]
    is_model = port != address.rpartition(":")[2]
    advice = _ASK_MODELS if is_model and not is_local else _advice(reason, address, security, is_local=is_local)
    return UnavailableError(f"{error.message[: found.start()]}{sentence}; {advice}{after}", error.retry_delay_s)


def _advice(reason: str, address: str, security: SecuritySettings, *, is_local: bool) -> str:
    if is_local:
        return "is the mesh up? `lumenmill status` tells"
    if _HUNG_UP.search(reason) and security.tls_ca_file and not security.tls_cert_file:
        return (
            "the server may demand a client certificate: set LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE, "
            f"and see that {address} is up"
        )
    if _HUNG_UP.search(reason) and not security.tls_ca_file:
        return f"the server may speak TLS: set LUMENMILL_TLS_CA_FILE, and see that {address} is up"
    return (
        f"is LUMENMILL_ADDRESS (or --address), {address}, right, and is what it leads to up? "
        "A port-forward may have ended"
    )
