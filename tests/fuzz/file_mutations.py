"""Mutations of files of any format: flipped bits, wrong numbers, cuts and splices.

In every other PNG file the checksums of chunks are made right again, and every other ZIP file is whole around a damaged
entry: otherwise readers would see little more than wrong checksums.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["mutated_file"]

_HEADER_BYTES = 400
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORDS = (b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"99999999999999999999", b"1e999", b"nan", b"-inf", b"")
_WORDS += (b"1e-320", b"\xff", b'"', b"[" * 3000, b"{", b"\\ud800", b"\0", "½".encode())
_LIMITS = (0, 1, 0x7F, 0x80, 0xFF)


def mutated_file(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Return the content with one to three mutations; `others` are files of the same format to splice with."""
    if content.startswith(b"PK") and rng.random() < 0.5:
        return _zip_with_mutated_entry(rng, content)
    repairs = content.startswith(_PNG_SIGNATURE) and rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = rng.choice(_MUTATIONS)(rng, content or b"\0", others)
    return _with_right_checksums(content) if repairs else content


def _place(rng: Random, content: bytes) -> int:
    """Return an offset; headers, in which wrong bytes have most effect, are chosen more often."""
    end = min(len(content), _HEADER_BYTES) if rng.random() < 0.5 else len(content)
    return rng.randrange(max(end, 1))


def _flipped(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[_place(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _with_limit(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Overwrite a binary number of 1 to 8 bytes with 0, 1 or a limit of its type, in either byte order."""
    size, at, limit = rng.choice((1, 2, 4, 8)), _place(rng, content), rng.choice(_LIMITS)
    low = 0xFF if limit in (0x7F, 0xFF) else 0
    number = bytes([limit]) + bytes([low]) * (size - 1) if limit != 1 else bytes(size - 1) + b"\1"
    return content[:at] + (number if rng.random() < 0.5 else number[::-1]) + content[at + size :]


def _with_word(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Replace a number that is written in digits."""
    found = list(_NUMBER.finditer(content))
    if not found:
        return _with_limit(rng, content, ())
    match = rng.choice(found)
    return content[: match.start()] + rng.choice(_WORDS) + content[match.end() :]


def _cut(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: rng.randrange(len(content))]


def _without_part(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    at = _place(rng, content)
    return content[:at] + content[at + rng.choice((1, 4, 16, 100)) :]


def _with_part_twice(rng: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, at = _place(rng, content), _place(rng, content)
    part = content[start : start + rng.choice((1, 4, 16, 100, 1000))]
    return content[:at] + part * rng.choice((1, 1, 50)) + content[at:]


def _spliced(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others) if others else content
    return content[: rng.randrange(len(content))] + other[_place(rng, other) :]


_MUTATIONS: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flipped, _flipped, _with_limit, _with_limit, _with_word),
    *(_cut, _without_part, _with_part_twice, _spliced),
)


def _with_right_checksums(png: bytes) -> bytes:
    changed, at = bytearray(png), len(_PNG_SIGNATURE)
    while at + 12 <= len(changed):
        (length,) = struct.unpack_from(">I", changed, at)
        if at + 12 + length > len(changed):
            break
        struct.pack_into(">I", changed, at + 8 + length, zlib.crc32(changed[at + 4 : at + 8 + length]))
        at += 12 + length
    return bytes(changed)


def _zip_with_mutated_entry(rng: Random, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    chosen = rng.randrange(len(entries))
    entries[chosen] = (entries[chosen][0], mutated_file(rng, entries[chosen][1], ()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, data in entries:
            archive.writestr(info.filename, data, info.compress_type)
    return buffer.getvalue()
