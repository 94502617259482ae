"""The program of a decoding process: `python -m lumenmill_common.decoding.process <socket> <module>…`.

It imports the modules of the decoders, reports that it is ready, and answers one request after another until the
service closes the socket. A request is a function, its arguments, its limits, whether its results are sent one by one,
and whether the service has done with each before it sends anything else. A reply is a kind and a value: see `Reply`.
"""

import contextlib
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from lumenmill_common.decoding.limits import DecodeLimits
from lumenmill_common.decoding.messages import STOP, Reply, new_memory, receive_request, send_reply
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["main"]

# The memory of results is used again up to this size: 4096² pixels of RGB.
_MAX_KEPT_BYTES = 48 << 20
# The service kills a process that is late; this ends one whose service has itself ended.
_ORPHANED_S = 10.0


def main() -> None:
    """Answer requests until the service closes the socket."""
    descriptor, *modules = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes; the service ends this one
    # If the machine or pod runs out of memory, this process is ended rather than the service.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(descriptor)) as connection:
        for module in modules:
            importlib.import_module(module)
        send_reply(connection, Reply.READY, None)
        memory = new_memory()
        with contextlib.suppress(EOFError, OSError):
            while True:
                request = receive_request(connection)
                if os.fstat(memory).st_size > _MAX_KEPT_BYTES:
                    os.close(memory)
                    memory = new_memory()
                _answer(connection, memory, *request)
                del request


def _answer(
    connection: socket.socket,
    memory: int,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    limits: DecodeLimits,
    sends_each: bool,
    reuses_memory: bool,
) -> None:
    place = memory if reuses_memory else None
    arguments = tuple(bytes(each) if isinstance(each, memoryview) else each for each in arguments)
    if not sends_each:
        _send(connection, _reply(partial(function, *arguments), limits), place)
        return
    results = function(*arguments)
    with contextlib.closing(results):
        is_last = False
        while not is_last:
            # The next result is decoded while the service uses the one before it.
            reply = _reply(partial(next, results), limits)
            if receive_request(connection) == STOP:
                reply = Reply.END, None
            is_last = not _send(connection, reply, place)


def _send(connection: socket.socket, reply: tuple[Reply, Any], place: int | None) -> bool:
    """Send a reply; return whether more may follow."""
    try:
        send_reply(connection, *reply, place)
    except TypeError:
        send_reply(connection, Reply.FAILED, traceback.format_exc(), place)
        return False
    return reply[0] == Reply.RESULT


def _reply(decode: Callable[[], Any], limits: DecodeLimits) -> tuple[Reply, Any]:
    """Return the kind and the value of the reply."""
    try:
        with _limited(limits):
            return Reply.RESULT, decode()
    except StopIteration:
        return Reply.END, None
    except InvalidArgumentError as error:
        return Reply.REFUSED, error.violations
    except ValueError as error:
        return Reply.REFUSED, (("", str(error)),)
    except MemoryError:
        return Reply.OUT_OF_MEMORY, None
    except Exception:
        return Reply.FAILED, traceback.format_exc()


@contextlib.contextmanager
def _limited(limits: DecodeLimits) -> Iterator[None]:
    """Limit the address space that the block may take in addition, and its seconds should the service have ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + limits.max_memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    signal.setitimer(signal.ITIMER_REAL, limits.max_wait_s + _ORPHANED_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


if __name__ == "__main__":
    main()
