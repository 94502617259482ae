"""The processes in which a service decodes files, and what becomes of a file that exceeds its limits."""

import atexit
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from lumenmill_common.cancellation import check_cancelled
from lumenmill_common.decoding.child import Child
from lumenmill_common.decoding.limits import DecodeLimits
from lumenmill_common.decoding.messages import NEXT, STOP, MessageError, Reply
from lumenmill_common.errors import CancelledError, InternalError, InvalidArgumentError
from lumenmill_common.telemetry import DECODING_PROCESSES_KILLED

__all__ = ["DecodingPool", "decoder", "decoding_pool", "warm_decoders"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
ResultT = TypeVar("ResultT")
ConvertedT = TypeVar("ConvertedT")

# Each may take the memory of a large picture.
_MAX_PROCESSES = 2
# How often waiting threads look whether their job was cancelled.
_POLL_S = 0.05
# Importing the decoders takes a second, and longer where a machine starts many services at once.
_START_S = 60.0
# Time for an unfinished clip to reach its next frame.
_STOP_S = 1.0

# A reply is larger than the arrays that it holds.
_REPLY_MARGIN_BYTES = 64 << 20

_modules: dict[str, None] = {}


def decoder(function: FunctionT) -> FunctionT:
    """Mark a function of a module as one that decoding processes run: they import its module when they start."""
    _modules[function.__module__] = None
    return function


class _EndedError(Exception):
    """A process has ended, or must be: why, as in the metric, and what that says of the file."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason, self.problem = reason, problem


class _RefusedError(Exception):
    """A process has refused its file and is idle again: the violations."""

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        super().__init__(violations)
        self.violations = violations


class DecodingPool:
    """Runs functions in child processes, and keeps idle ones for later files.

    A function is known by its module and name; its arguments are pickled. It raises ValueError or InvalidArgumentError
    for a file that is wrong. What it returns consists of plain values, arrays of numbers, and dataclasses marked with
    `decoder_result`.
    """

    def __init__(self, max_processes: int = _MAX_PROCESSES) -> None:
        """At most `max_processes` files are decoded at a time; further ones wait. Clips that are iterated do not."""
        self._turns, self._max_idle = threading.BoundedSemaphore(max_processes), max_processes
        self._idle: list[Child] = []
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Start a process unless one is idle; do not wait until it is ready."""
        with self._lock:
            if not self._idle:
                self._idle.append(Child(list(_modules)))

    def run(self, function: Callable[..., ResultT], *arguments: Any, field: str, limits: DecodeLimits) -> ResultT:
        """Return what a function returns for some arguments.

        Raises:
            InvalidArgumentError: naming `field`; the file is wrong, takes more time or memory than its limits, or
                crashes its decoder.
            CancelledError: the job or call was cancelled meanwhile; the process was killed.
        """
        with self._turn(), self._lent(field) as child:
            child.send(_request(function, arguments, limits))
            _, result = _reply(child, limits)
        return result  # type: ignore[no-any-return]  # of the function

    def run_and_convert(
        self,
        convert: Callable[[ResultT], ConvertedT],
        function: Callable[..., ResultT],
        *arguments: Any,
        field: str,
        limits: DecodeLimits,
    ) -> ConvertedT:
        """Return what `convert` returns for the result of a function; errors as `run`.

        It must copy what it needs of arrays: their memory is used for the next file, which is faster.
        """
        with self._turn(), self._lent(field) as child:
            child.send(_request(function, arguments, limits, reuses_memory=True))
            return convert(_reply(child, limits)[1])

    def iterate(
        self,
        convert: Callable[[ResultT], ConvertedT],
        function: Callable[..., Iterator[ResultT]],
        *arguments: Any,
        field: str,
        limits: DecodeLimits,
    ) -> Generator[ConvertedT, None, None]:
        """Yield what a generator function yields, converted as in `run_and_convert`; errors as `run`.

        The limits are those of each element. One element is decoded ahead. It occupies a process until it is exhausted
        or closed.
        """
        with self._lent(field) as child:
            child.send(_request(function, arguments, limits, sends_each=True, reuses_memory=True))
            child.send(NEXT)
            kind, result = _reply(child, limits)
            while kind != Reply.END:
                converted = convert(result)
                del result
                yield converted
                child.send(NEXT)
                kind, result = _reply(child, limits)

    def close(self) -> None:
        """End the idle processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.kill()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        while not self._turns.acquire(timeout=_POLL_S):
            check_cancelled()
        try:
            yield
        finally:
            self._turns.release()

    @contextmanager
    def _lent(self, field: str) -> Iterator[Child]:
        """Yield a process that is ready. After the block it is idle again, unless the block has left it busy."""
        child = self._take()
        try:
            yield child
        except _RefusedError as refused:
            self._give_back(child)
            first, *others = [(name or field, problem) for name, problem in refused.violations]
            raise InvalidArgumentError(*first, *others) from None
        except GeneratorExit:
            if _is_stopped(child):
                self._give_back(child)
            else:
                self._replace(child, "cancelled")
            raise
        except _EndedError as ended:
            self._replace(child, ended.reason)
            raise InvalidArgumentError(field, ended.problem) from None
        except BaseException as error:
            self._replace(child, "cancelled" if isinstance(error, CancelledError) else "error")
            raise
        self._give_back(child)

    def _take(self) -> Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else Child(list(_modules))
            if child.is_ready and not child.has_reply(0.0):
                return child
            if child.is_ready:  # it has ended while it was idle
                child.kill()
                continue
            try:
                _wait(child, DecodeLimits(_START_S))
                child.receive(_REPLY_MARGIN_BYTES)
            except BaseException as error:
                child.kill()
                if isinstance(error, _EndedError | EOFError | MessageError):
                    raise InternalError("the process that decodes files does not start") from error
                raise
            child.is_ready = True
            return child

    def _give_back(self, child: Child) -> None:
        with self._lock:
            if len(self._idle) < self._max_idle:
                self._idle.append(child)
                return
        child.kill()

    def _replace(self, child: Child, reason: str) -> None:
        child.kill()
        DECODING_PROCESSES_KILLED.labels(reason).inc()
        self.warm()


def _request(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    limits: DecodeLimits,
    *,
    sends_each: bool = False,
    reuses_memory: bool = False,
) -> tuple[Any, ...]:
    """Return the message for a call; bytes are wrapped, so that files are not copied into the pickle."""
    wrapped = tuple(pickle.PickleBuffer(each) if isinstance(each, bytes) else each for each in arguments)
    return function, wrapped, limits, sends_each, reuses_memory


def _reply(child: Child, limits: DecodeLimits) -> tuple[Reply, Any]:
    """Wait for a reply and return its kind and value.

    Raises:
        _RefusedError: the file is wrong.
        InternalError: the decoder has a bug, or sends something that is no reply.
        CancelledError: the job or call was cancelled.
        _EndedError: the process took too long or too much memory, or has ended.
    """
    _wait(child, limits)
    try:
        kind, value = child.receive(limits.max_memory_bytes + _REPLY_MARGIN_BYTES)
    except EOFError:
        raise _crashed(child) from None
    except MessageError as error:
        raise InternalError(str(error)) from error
    if kind == Reply.REFUSED:
        raise _RefusedError(value)
    if kind == Reply.OUT_OF_MEMORY:
        raise _EndedError("memory", f"needs more than {limits.max_memory_bytes >> 20} MiB of memory to decode")
    if kind == Reply.FAILED:
        raise InternalError(f"a decoder has failed:\n{value}")
    return kind, value


def _wait(child: Child, limits: DecodeLimits) -> None:
    computed_s, deadline_s = child.computing_time_s(), time.monotonic() + limits.max_wait_s
    while not child.has_reply(_POLL_S):
        check_cancelled()
        if child.computing_time_s() - computed_s > limits.max_s or time.monotonic() > deadline_s:
            raise _EndedError("time", f"took longer than {limits.max_s:g} s to decode")


def _crashed(child: Child) -> _EndedError:
    number = child.signal_that_ended_it()
    if number == signal.SIGKILL:  # not by this pool: the kernel, for lack of memory
        return _EndedError("memory", "needs more memory to decode than this machine has left")
    cause = number.name if number is not None else "it exited"
    return _EndedError("crash", f"cannot be decoded: it crashes its decoder ({cause}); save it with another program")


def _is_stopped(child: Child) -> bool:
    """End an iteration before its end; return whether the process reaches its next element soon."""
    child.send(STOP)
    if not child.has_reply(_STOP_S):
        return False
    try:
        return child.receive(_REPLY_MARGIN_BYTES)[0] == Reply.END
    except (EOFError, MessageError):
        return False


@cache
def decoding_pool() -> DecodingPool:
    """Return the pool of this process."""
    pool = DecodingPool()
    atexit.register(pool.close)
    return pool


def warm_decoders() -> None:
    """Start a process of the pool if this service has decoders, so that the first file does not wait for it."""
    if _modules:
        decoding_pool().warm()
