"""The process of a rank above 0, as rank 0 controls it: messages are lines of JSON, replies are lines of text."""

import json
import subprocess
import sys
from typing import Any

from lumenmill_common.errors import UnavailableError

__all__ = ["RankProcess"]

_PROGRAM = "lumenmill_neural.context_parallel.other_rank"


class RankProcess:
    """The child process of one further GPU."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            # With -P, files of the working directory are not imported in place of modules.
            [sys.executable, "-P", "-m", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, message: dict[str, Any]) -> None:
        """Send a message. Raises UnavailableError if the process has ended."""
        if self._process.stdin is None:
            raise RuntimeError("messages are sent to the standard input of the process")
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise UnavailableError(f"the process of GPU {self.rank} has ended") from error

    def reply(self) -> str:
        """Wait for the next reply and return it; empty if the process has ended."""
        if self._process.stdout is None:
            raise RuntimeError("replies are read from the standard output of the process")
        return self._process.stdout.readline().rstrip("\n")

    def wait(self) -> int:
        """Wait until the process ends, and return its exit status."""
        return self._process.wait()

    def exit_status(self, timeout_s: float) -> int | None:
        """Return the exit status, or None if the process does not end within so many seconds."""
        try:
            return self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
