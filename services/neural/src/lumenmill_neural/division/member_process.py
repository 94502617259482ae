"""A member as its leader sees it: a process that is told by lines of JSON, and answers some of them by a line."""

import json
import subprocess
import sys
from typing import Any

from lumenmill_common.errors import UnavailableError

__all__ = ["MemberProcess"]

_PROGRAM = "lumenmill_neural.division.member"


class MemberProcess:
    """The process of one further GPU."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, message: dict[str, Any]) -> None:
        """Raises UnavailableError where it has ended."""
        if self._process.stdin is None:
            raise RuntimeError("a member is told by its standard input")
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise UnavailableError(f"the process of GPU {self.rank} has ended") from error

    def answer(self) -> str:
        """Waits for the next line that it says; empty where it has ended."""
        if self._process.stdout is None:
            raise RuntimeError("a member answers by its standard output")
        return self._process.stdout.readline().rstrip("\n")

    def wait(self) -> int:
        """Waits for its end; the exit status."""
        return self._process.wait()

    def status(self, patience_s: float) -> int | None:
        """Its exit status, if it ends within so many seconds."""
        try:
            return self._process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        """Ends it, wherever it is."""
        self._process.kill()
        self._process.wait()
