"""`token`: a token for a caller of a mesh, and its line in the table of callers."""

import json
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from lumenmill_client.command._output import print_text
from lumenmill_common.caller import ROLES
from lumenmill_common.caller_table import digest_of, parse_callers
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["register"]

_NUM_TOKEN_BYTES = 32


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(token)


def token(
    name: Annotated[str, typer.Argument(help="Name of the caller, which its runs show.")],
    role: Annotated[str, typer.Option(metavar="|".join(ROLES), help="What the caller may do.")],
    to: Annotated[Path, typer.Option(help="New file for the token; give it to the caller only.")],
) -> None:
    """Make a token, write it to a file, and print its line for the table of callers, LUMENMILL_CALLERS_FILE.

    Example: lumenmill token alice --role submitter --to alice.token >> callers
    """
    made = secrets.token_urlsafe(_NUM_TOKEN_BYTES)
    line = json.dumps({"name": name, "role": role, "sha256s": [digest_of(made)]})
    parse_callers(line, "the caller")
    try:
        with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{made}\n")
    except OSError as error:
        raise InvalidArgumentError("--to", f"{str(to)!r} cannot be created: {error.strerror}") from error
    print_text(line)
