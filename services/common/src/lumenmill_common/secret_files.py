"""Secrets that are read from files: a file without one is an error, never the secret ""."""

import re
from pathlib import Path

from pydantic import SecretStr

__all__ = ["read_secret"]

# What headers can carry; editors may leave a byte order mark, and a disk that was full zeros.
_SECRET = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


def read_secret(file: Path) -> SecretStr:
    """Return the secret in a file, without white space around it.

    Raises:
        ValueError: the file cannot be read, is empty or blank, or holds other than printable ASCII; the message names
            the file, and nothing of its content.
    """
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ValueError(f"{str(file)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{str(file)!r} holds other characters than printable ASCII") from None
    if not text:
        raise ValueError(f"{str(file)!r} is empty")
    if not _SECRET.fullmatch(text):
        raise ValueError(f"{str(file)!r} holds other characters than printable ASCII in one line")
    return SecretStr(text)
