"""Messages between a service and its decoding processes: pickles whose arrays lie in shared memory.

A message is one packet with the sizes of its parts, and the file descriptor of an anonymous file in memory that holds
them: the pickle, then the bytes of each array. Arrays are received without a copy.
"""

import fcntl
import io
import mmap
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

__all__ = ["NEXT", "STOP", "Reply", "new_memory", "receive", "receive_trusted", "send"]

# What the service sends after each result of several.
NEXT, STOP = "next", "stop"
# Parts begin at multiples of it, so that arrays of any type are aligned.
_ALIGNMENT = 64
# The limit of Linux on one packet, by default.
_MAX_PACKET_BYTES = 208 << 10
# What the replies of a decoding process may refer to besides classes of Lumenmill: arrays. Decoders have had bugs that
# run code of their file, and a pickle may name any function.
_ARRAY_PARTS = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
    }
)


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


def send(connection: socket.socket, message: Any, memory: int | None = None) -> None:
    """Send a message, in `memory` if it is given, of which the other process must not use an earlier message any more.

    Raises OSError if the other process has ended.
    """
    if memory is None:
        memory = new_memory()
        try:
            send(connection, message, memory)
        finally:
            os.close(memory)
        return
    buffers: list[pickle.PickleBuffer] = []
    parts = [memoryview(pickle.dumps(message, protocol=5, buffer_callback=buffers.append))]
    parts += [buffer.raw() for buffer in buffers]
    for part, offset in zip(parts, _offsets([part.nbytes for part in parts]), strict=False):
        _write(memory, part, offset)
    sizes = struct.pack(f"={len(parts)}Q", *(part.nbytes for part in parts))
    socket.send_fds(connection, [sizes], [memory])


def _write(memory: int, part: memoryview, offset: int) -> None:
    while part.nbytes:
        written = os.pwrite(memory, part, offset)
        part, offset = part[written:], offset + written


def receive_trusted(connection: socket.socket) -> Any:
    """Receive a message of the service; errors as `receive`."""
    head, buffers = _parts(connection)
    return pickle.loads(head, buffers=buffers)  # noqa: S301 - from the process that started this one


def receive(connection: socket.socket) -> Any:
    """Receive a message that may hold only plain values, arrays and classes of Lumenmill.

    Raises:
        EOFError: the other process has ended.
        pickle.UnpicklingError: it holds something else.
    """
    head, buffers = _parts(connection)
    return _Unpickler(io.BytesIO(head), buffers=buffers).load()


def _parts(connection: socket.socket) -> tuple[memoryview, list[memoryview]]:
    try:
        packet, descriptors, _, _ = socket.recv_fds(connection, _MAX_PACKET_BYTES, 1)
    except ConnectionError as error:
        raise EOFError from error
    if not packet:
        raise EOFError
    sizes = [size for (size,) in struct.iter_unpack("=Q", packet)]
    *offsets, _ = _offsets(sizes)
    try:
        if not fcntl.fcntl(descriptors[0], fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise pickle.UnpicklingError("a decoding process sent memory that may shrink")
        length = os.fstat(descriptors[0]).st_size
        memory = memoryview(mmap.mmap(descriptors[0], length, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE))
    finally:
        os.close(descriptors[0])
    head, *buffers = [memory[offset : offset + size] for offset, size in zip(offsets, sizes, strict=True)]
    return head, buffers


def _offsets(sizes: Sequence[int]) -> list[int]:
    """Return where each part begins, and where the last one ends, aligned."""
    offsets = [0]
    for size in sizes:
        offsets.append(-(-(offsets[-1] + size) // _ALIGNMENT) * _ALIGNMENT)
    return offsets


class _Unpickler(pickle.Unpickler):
    """Refuses whatever is not listed above."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name) if module.startswith("lumenmill_") else None
        if isinstance(found, type):
            return found
        if (module, name) in _ARRAY_PARTS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a decoding process sent {module}.{name}")
