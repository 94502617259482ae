"""The table of those who may call a service: a file with one JSON object for each caller and line.

    {"name": "alice", "role": "submitter", "sha256s": ["<SHA-256 of her token, 64 hexadecimal digits>"]}

It has digests of tokens, so that whoever reads it, in a pod of any model, can call nothing. A caller has two digests
while its token is being replaced.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from lumenmill_common.caller import ROLES, Caller
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.validation import violations_of

__all__ = ["CALLER_NAME", "CallerTable", "digest_of", "parse_callers"]

CALLER_NAME = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}"
"""Names of callers: they are sent as metadata and stored with runs."""

CallerTable = dict[str, Caller]
"""Callers by the digests of their tokens."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=f"^{CALLER_NAME}$")]
    role: Literal["reader", "submitter", "admin", "service"]
    sha256s: Annotated[
        list[Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]], Field(min_length=1, max_length=2)
    ]


def digest_of(token: str) -> str:
    """Return the digest by which a table knows a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def parse_callers(text: str, field: str) -> CallerTable:
    """Return the callers of a table. Blank lines are ignored.

    Raises:
        InvalidArgumentError: a line is malformed, a name or a digest occurs twice, or there is no caller; names `field`
            and the line.
    """
    table: CallerTable = {}
    names: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        row = _row(line, f"{field}: line {number}")
        if row.name in names:
            raise InvalidArgumentError(f"{field}: line {number}", f"`{row.name}` is in an earlier line; keep one")
        names.add(row.name)
        for digest in row.sha256s:
            if digest in table:
                raise InvalidArgumentError(
                    f"{field}: line {number}", f"`{row.name}` has a token of `{table[digest].name}`; make a new one"
                )
            table[digest] = Caller(row.name, ROLES[row.role])
    if not table:
        raise InvalidArgumentError(field, "has no callers; give it a line for each, or unset the variable")
    return table


def _row(line: str, field: str) -> _Row:
    try:
        return _Row.model_validate(json.loads(line, object_pairs_hook=_without_duplicates))
    except ValidationError as error:
        first, *others = ((f"{field}: {place}" if place else field, problem) for place, problem in violations_of(error))
        raise InvalidArgumentError(*first, *others) from None
    except (ValueError, RecursionError):
        # The text of the error may quote the line.
        raise InvalidArgumentError(field, "is not one JSON object with each key once") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found
