"""Text files of users: recipes and prompts. They are UTF-8, with or without a byte order mark."""

import re
from pathlib import Path

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["read_lines", "read_text"]

# The largest message of the mesh has 32 MiB.
_LARGEST_BYTES = 64 << 20
# Not those of str.splitlines: a prompt may hold other separators, such as U+2028.
_LINE_END = re.compile(r"\r\n|\n|\r")


def read_text(path: Path, field: str) -> str:
    """Return the text of a file without its byte order mark.

    Raises:
        InvalidArgumentError: it is no file, too large or not UTF-8; names `field`, the file, and the first byte that is
            wrong.
    """
    if not path.is_file():
        raise InvalidArgumentError(field, f"there is no file {str(path)!r}")
    size_bytes = path.stat().st_size
    if size_bytes > _LARGEST_BYTES:
        raise InvalidArgumentError(field, f"{str(path)!r} has {size_bytes} bytes; at most {_LARGEST_BYTES} are read")
    content = path.read_bytes()
    try:
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8; save it as UTF-8"
        raise InvalidArgumentError(field, f"{str(path)!r} is not a text file: {problem}") from None


def read_lines(path: Path, field: str) -> list[str]:
    """Return the lines of a file without the blank ones and without spaces around them; errors as `read_text`."""
    return [line.strip() for line in _LINE_END.split(read_text(path, field)) if line.strip()]
