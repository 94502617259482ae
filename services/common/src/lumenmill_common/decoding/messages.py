"""Messages between a service and its decoding processes, whose arrays lie in shared memory.

A message is one packet with the sizes of its parts, and the file descriptor of an anonymous file in memory that holds
them: a head, then the bytes of each array. Arrays are received without a copy. The head of a request is a pickle; that
of a reply, which is not trusted, is described in `replies`.
"""

import fcntl
import mmap
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from lumenmill_common.decoding.replies import packed_reply, unpacked_reply

__all__ = [
    "NEXT",
    "STOP",
    "MessageError",
    "Reply",
    "new_memory",
    "receive_reply",
    "receive_request",
    "send",
    "send_reply",
]

# What the service sends after each result of several.
NEXT, STOP = "next", "stop"
# Parts begin at multiples of it, so that arrays of any type are aligned.
_ALIGNMENT = 64
# The limit of Linux on one packet, by default.
_MAX_PACKET_BYTES = 208 << 10


class MessageError(Exception):
    """A decoding process has sent something that is no reply."""


class Reply(StrEnum):
    """The kinds of replies, and the value of each."""

    READY = "ready"
    """None: the decoders are imported."""
    RESULT = "result"
    """What the function returned or yielded."""
    END = "end"
    """None: there are no more results."""
    REFUSED = "refused"
    """The violations of an InvalidArgumentError; a ValueError has one with an empty field."""
    OUT_OF_MEMORY = "out of memory"
    """None."""
    FAILED = "failed"
    """The traceback of a bug."""


def new_memory() -> int:
    """Return the descriptor of an empty anonymous file in memory. It cannot shrink, which would crash its readers."""
    memory = os.memfd_create("lumenmill-decoding", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return memory


def send(connection: socket.socket, request: Any) -> None:
    """Send a request. Raises OSError if the other process has ended."""
    buffers: list[pickle.PickleBuffer] = []
    head = memoryview(pickle.dumps(request, protocol=5, buffer_callback=buffers.append))
    _send_parts(connection, [head, *(buffer.raw() for buffer in buffers)])


def send_reply(connection: socket.socket, kind: Reply, value: Any, memory: int | None = None) -> None:
    """Send a reply, in `memory` if it is given, of which the service must not use an earlier reply any more.

    Raises:
        TypeError: it holds something that replies must not hold; nothing is sent.
        OSError: the service has ended.
    """
    _send_parts(connection, packed_reply((kind.value, value)), memory)


def _send_parts(connection: socket.socket, parts: Sequence[memoryview], memory: int | None = None) -> None:
    if memory is None:
        memory = new_memory()
        try:
            _send_parts(connection, parts, memory)
        finally:
            os.close(memory)
        return
    for part, offset in zip(parts, _offsets([part.nbytes for part in parts]), strict=True):
        _write(memory, part, offset)
    sizes = struct.pack(f"={len(parts)}Q", *(part.nbytes for part in parts))
    socket.send_fds(connection, [sizes], [memory])


def _write(memory: int, part: memoryview, offset: int) -> None:
    while part.nbytes:
        written = os.pwrite(memory, part, offset)
        part, offset = part[written:], offset + written


def receive_request(connection: socket.socket) -> Any:
    """Receive a message of the service. Raises EOFError if the service has ended."""
    head, buffers = _parts(*_packet(connection))
    return pickle.loads(head, buffers=buffers)  # noqa: S301 - from the process that started this one


def receive_reply(connection: socket.socket, max_bytes: int) -> tuple[Reply, Any]:
    """Receive the kind and the value of a reply, whose parts together may have `max_bytes` bytes.

    Raises:
        EOFError: the decoding process has ended.
        MessageError: it has sent something that is no reply.
    """
    packet, memory = _packet(connection)
    try:
        kind, value = unpacked_reply(*_parts(packet, memory, max_bytes))
        return Reply(kind), value
    except Exception as error:
        raise MessageError(f"a decoding process sent no reply: {error!r}") from error


def _packet(connection: socket.socket) -> tuple[bytes, int | None]:
    """Return the next packet and the descriptor of its memory. Raises EOFError if the other process has ended."""
    try:
        packet, descriptors, _, _ = socket.recv_fds(connection, _MAX_PACKET_BYTES, 1)
    except ConnectionError as error:
        raise EOFError from error
    if not packet:
        for descriptor in descriptors:
            os.close(descriptor)
        raise EOFError
    return packet, next(iter(descriptors), None)


def _parts(packet: bytes, memory: int | None, max_bytes: int | None = None) -> tuple[memoryview, list[memoryview]]:
    """Map the parts of a message and close the descriptor of its memory. Raises ValueError if they are not there."""
    if memory is None:
        raise ValueError("has no memory")
    try:
        if len(packet) % struct.calcsize("=Q"):
            raise ValueError("has no sizes of parts")
        sizes = [size for (size,) in struct.iter_unpack("=Q", packet)]
        offsets = _offsets(sizes)
        length = max(offset + size for offset, size in zip(offsets, sizes, strict=True) if size)
        if max_bytes is not None and length > max_bytes:
            raise ValueError(f"has {length} bytes, more than the {max_bytes} allowed")
        if not _cannot_shrink(memory) or os.fstat(memory).st_size < length:
            raise ValueError("lies in memory that may end before its last part")
        # Not the whole file, whose size is chosen by the other process.
        mapped = memoryview(mmap.mmap(memory, length, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE))
    finally:
        os.close(memory)
    head, *buffers = [mapped[offset : offset + size] for offset, size in zip(offsets, sizes, strict=True)]
    return head, buffers


def _cannot_shrink(memory: int) -> bool:
    try:
        return bool(fcntl.fcntl(memory, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK)
    except OSError:  # other files have no seals
        return False


def _offsets(sizes: Sequence[int]) -> list[int]:
    """Return where each part begins."""
    offsets = [0]
    for size in sizes[:-1]:
        offsets.append(-(-(offsets[-1] + size) // _ALIGNMENT) * _ALIGNMENT)
    return offsets
