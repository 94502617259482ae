"""Tables of callers."""

import json
from pathlib import Path

from lumenmill_common.caller_table import digest_of
from lumenmill_common.settings import SecuritySettings

__all__ = ["security_of", "token_of", "write_callers"]


def token_of(name: str) -> str:
    """Return the token of a caller in the tables of tests."""
    return f"token-of-{name}"


def write_callers(file: Path, **roles: str) -> Path:
    """Write a table of callers with their roles, and return its file."""
    rows = [{"name": name, "role": role, "sha256s": [digest_of(token_of(name))]} for name, role in roles.items()]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def security_of(folder: Path, name: str) -> SecuritySettings:
    """Return the settings with which a caller of such a table makes calls; its token is written into a folder."""
    file = folder / f"{name}.token"
    file.write_text(token_of(name))
    return SecuritySettings(token_file=file)
