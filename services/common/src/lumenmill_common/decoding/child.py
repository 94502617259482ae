"""A decoding process, as the service holds it."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lumenmill_common.decoding.messages import Reply, receive_reply, send

__all__ = ["Child"]

_PROGRAM = "lumenmill_common.decoding.process"
# The field `utime` of /proc/<pid>/stat, after the name, and `stime` behind it (proc_pid_stat(5)).
_USER_TIME = 11
# Time for the kernel to end a process whose socket is closed.
_EXIT_S = 1.0
_ENVIRONMENT = {
    # Threads and arenas for allocations take address space, which is limited, and are of no use here.
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    # Memory for pictures of ordinary size is kept: to get it from the kernel again takes as long as decoding a JPEG.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}


class Child:
    """A process that was started from scratch: it shares no memory, locks or threads with the service."""

    def __init__(self, modules: Sequence[str]) -> None:
        """Start a process, which imports the modules and then replies that it is ready."""
        self._connection, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            # With -P, files of the working directory are not imported in place of modules.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-m", _PROGRAM, str(other.fileno()), *modules],
                stdin=subprocess.DEVNULL,
                env=os.environ | _ENVIRONMENT,
                pass_fds=[other.fileno()],
            )
        self.is_ready = False
        """Whether its first reply was received."""

    def send(self, message: Any) -> None:
        """Send a message. A process that has ended does not get it; its next reply is then its end."""
        with contextlib.suppress(ConnectionError):
            send(self._connection, message)

    def has_reply(self, timeout_s: float) -> bool:
        """Wait for a reply or the end of the process; return whether there is one."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))

    def receive(self, max_bytes: int) -> tuple[Reply, Any]:
        """Return the kind and the value of the next reply, which may have `max_bytes` bytes.

        Raises:
            EOFError: the process has ended.
            MessageError: it has sent something that is no reply.
        """
        return receive_reply(self._connection, max_bytes)

    def computing_time_s(self) -> float:
        """Return the seconds of computing time that the process has taken, in all its threads; 0 once it has ended."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[_USER_TIME]) + int(fields[_USER_TIME + 1])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> int:
        """End the process, whatever it is doing, and return its exit status: negative for a signal."""
        self._connection.close()
        self._process.kill()
        return self._process.wait()

    def signal_that_ended_it(self) -> "signal.Signals | None":
        """Return the signal that has ended the process, once its socket is closed; None if it exited.

        None is also returned for a process that has closed its socket and runs on; it must be killed.
        """
        try:
            status = self._process.wait(timeout=_EXIT_S)
        except subprocess.TimeoutExpired:
            return None
        return signal.Signals(-status) if status < 0 else None
