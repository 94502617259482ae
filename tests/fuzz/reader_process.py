"""Readers in a process of their own, since native decoders may end the process or never return."""

import faulthandler
import multiprocessing
import os
import re
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from lumenmill_common.errors import InvalidArgumentError

__all__ = ["ReadResult", "ReaderProcess"]

# Readers that decode in a process of their own report its end so; no mutated file is large enough for its limits.
_KILLED = re.compile("took longer than|memory to decode|crashes its decoder")
# Computing time, which other programs on the machine do not lengthen; and the wait for a reader that sleeps.
_MAX_CPU_S, _MAX_WAIT_S = 5.0, 60.0
# A started process with its readers takes 0.4 GB, and the largest pictures that are allowed 1 GB.
_MAX_MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class ReadResult:
    """Whether a reader could read a file, and what went wrong, or "": an InvalidArgumentError is no problem."""

    is_read: bool
    problem: str = ""


class ReaderProcess:
    """Reads files in a child process, which is started again when it ended."""

    def __init__(self, log_file: Path) -> None:
        self._log_file = log_file
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection

    def read(self, kind: str, path: Path) -> ReadResult:
        """Read a file with all readers of its kind."""
        if self._process is None:
            self._start()
        self._connection.send((kind, path))
        if not self._connection.poll(_MAX_WAIT_S):
            self.end()
            return ReadResult(is_read=False, problem=f"no answer after {_MAX_WAIT_S:g} s")
        try:
            result: ReadResult = self._connection.recv()
        except EOFError:
            return ReadResult(is_read=False, problem=self._ended())
        return result

    def _ended(self) -> str:
        """Return how the process ended."""
        assert self._process is not None
        self._process.join()
        exit_code = self._process.exitcode
        self.end()
        return f"the process ended with {exit_code}: {self._log_file.read_text(errors='replace')[-2000:]}"

    def end(self) -> None:
        """Kill the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, self._log_file), daemon=True)
        self._process.start()
        other.close()


def _serve(connection: Connection, log_file: Path) -> None:
    # Decoders print about damaged files; of what they print, only the words before a crash are of interest.
    with log_file.open("wb") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    faulthandler.enable()
    from .file_readers import READERS  # imports every decoder, which only the child needs

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            kind, path = connection.recv()
        except EOFError:
            return
        results = [_result(read, path) for read in READERS[kind]]
        problems = [result.problem for result in results if result.problem]
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        if peak_bytes > _MAX_MEMORY_BYTES:
            problems.append(f"took {peak_bytes >> 20} MiB of memory")
        connection.send(ReadResult(any(result.is_read for result in results), "\n".join(problems)))


def _result(read: Callable[[Path], object], path: Path) -> ReadResult:
    started_s, is_read, problem = time.process_time(), False, ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            is_read = read(path) is not None
        except InvalidArgumentError as error:
            reason = error.violations[0][1].strip()
            problem = "" if reason and not _KILLED.search(reason) else f"refused for the reason {reason!r}"
        except Exception:
            problem = traceback.format_exc()
    cpu_s = time.process_time() - started_s
    if not problem and warned:
        problem = f"warned: {warned[0].filename}:{warned[0].lineno}: {warned[0].message}"
    if not problem and cpu_s > _MAX_CPU_S:
        problem = f"took {cpu_s:.1f} s of computing time"
    return ReadResult(is_read, problem)
