"""Finds out who makes a call, by its metadata."""

import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from lumenmill.common.v1 import access_pb2
from lumenmill_common.caller import ANONYMOUS, ROLES, Caller, role_name
from lumenmill_common.caller_table import CALLER_NAME, CallerTable, digest_of, parse_callers
from lumenmill_common.errors import InvalidArgumentError, UnauthenticatedError, UnavailableError
from lumenmill_common.secret_files import read_secret
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.telemetry import get_logger

__all__ = ["OPERATOR", "Authenticator", "acting_for"]

OPERATOR = "operator"
"""Name of the caller with the token of LUMENMILL_TOKEN_FILE, where there is no table."""
_NAME_KEY, _ROLE_KEY = "lumenmill-caller", "lumenmill-caller-role"
_SCHEME = "Bearer "
_HOW_TO_SEND = "(clients of the mesh read LUMENMILL_TOKEN_FILE; others send metadata `authorization: Bearer <token>`)"
_NO_TOKEN = f"the mesh requires a token, and none was sent {_HOW_TO_SEND}"
_WRONG_TOKEN = f"the token that was sent is not a token of the mesh {_HOW_TO_SEND}"
# Without the path of the file, which is no business of callers.
_UNREADABLE = "the server cannot read the tokens of the mesh and refuses every call until it can; its log says why"
_RETRY_DELAY_S = 5.0
_log = get_logger(__name__)


class Authenticator:
    """Knows the callers of one process. Its file is read at each call, since tokens may be replaced at any time."""

    def __init__(self, security: SecuritySettings) -> None:
        """Read the callers once.

        Raises:
            InvalidArgumentError: the file of callers, or of the token, is unreadable, empty or malformed; names the
                variable.
        """
        self._security = security
        self._text, self._table, self._problem = "", CallerTable(), ""
        self._read()

    def caller(self, metadata: Mapping[str, str]) -> Caller:
        """Return who makes a call with this metadata.

        Raises:
            UnauthenticatedError: it has no token, or an unknown one.
            PermissionDeniedError: it names another caller, and its own role is not `service`.
            InvalidArgumentError: what it says of another caller is malformed.
            UnavailableError: the file of callers has become unreadable or malformed: nobody is let in.
        """
        if not self._is_required:
            return _acting(ANONYMOUS, metadata)
        table, sent = self._current_table(), metadata.get("authorization", "")
        if not sent:
            raise UnauthenticatedError(_NO_TOKEN)
        digest = digest_of(sent.removeprefix(_SCHEME)) if sent.startswith(_SCHEME) else ""
        for known, caller in table.items():
            if hmac.compare_digest(known, digest):
                return _acting(caller, metadata)
        raise UnauthenticatedError(_WRONG_TOKEN)

    @property
    def _is_required(self) -> bool:
        return self._security.callers_file is not None or self._security.token_file is not None

    def _current_table(self) -> CallerTable:
        try:
            self._read()
        except InvalidArgumentError as error:
            if error.message != self._problem:
                self._problem = error.message
                _log.error("every call is refused until the tokens can be read", reason=error.message)
            raise UnavailableError(_UNREADABLE, _RETRY_DELAY_S) from None
        self._problem = ""
        return self._table

    def _read(self) -> None:
        """Read the file; parse it only where it has changed."""
        file = self._security.callers_file or self._security.token_file
        if file is None:
            return
        if self._security.callers_file is None:
            self._table = _one_caller(file)
            return
        field = "LUMENMILL_CALLERS_FILE"
        try:
            text = file.read_text()
        except OSError as error:
            raise InvalidArgumentError(field, f"{str(file)!r} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise InvalidArgumentError(field, f"{str(file)!r} is not UTF-8 text") from None
        if text != self._text or not self._table:
            self._table, self._text = parse_callers(text, field), text


def _one_caller(file: Path) -> CallerTable:
    """Return the table for a file that holds the only token of a mesh, which all of its parts send too."""
    try:
        token = read_secret(file).get_secret_value()
    except ValueError as error:
        raise InvalidArgumentError("LUMENMILL_TOKEN_FILE", str(error)) from None
    return {digest_of(token): Caller(OPERATOR, access_pb2.CALLER_ROLE_SERVICE)}


def _acting(own: Caller, metadata: Mapping[str, str]) -> Caller:
    """Return the caller that a call is made for: `own`, unless a part of the mesh names another."""
    if _NAME_KEY not in metadata and _ROLE_KEY not in metadata:
        return own
    own.require(access_pb2.CALLER_ROLE_SERVICE, f"to act for another caller (metadata `{_NAME_KEY}`)")
    name, role = metadata.get(_NAME_KEY, ""), metadata.get(_ROLE_KEY, "")
    if not re.fullmatch(CALLER_NAME, name):
        raise InvalidArgumentError(_NAME_KEY, f"must be the name of a caller, {CALLER_NAME}")
    if role not in ROLES:
        raise InvalidArgumentError(_ROLE_KEY, f"must be one of {', '.join(ROLES)}")
    return Caller(name, ROLES[role])


def acting_for(caller: Caller) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call that a part of the mesh makes for a caller; none for one without a name."""
    return ((_NAME_KEY, caller.name), (_ROLE_KEY, role_name(caller.role))) if caller.name else ()
