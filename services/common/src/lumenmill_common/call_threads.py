"""Runs the blocking parts of calls in threads of given executors, with the context of their calls."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from lumenmill_common.cancellation import cancelled_by, check_cancelled
from lumenmill_common.errors import CancelledError

__all__ = ["in_thread", "in_thread_to_its_end"]

_T = TypeVar("_T")


async def in_thread(threads: Executor | None, function: Callable[..., _T], *arguments: object) -> _T:
    """Return the result of a function, as `asyncio.to_thread`; None means the threads of asyncio.

    `run_in_executor` alone would run it without the caller of the call.
    """
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads, lambda: context.run(function, *arguments))


async def in_thread_to_its_end(threads: Executor, function: Callable[..., _T], *arguments: object) -> _T:
    """As `in_thread`; a call that is cancelled ends only when its thread has ended, as `check_cancelled` makes it do.

    What the call holds, such as files and quotas, is in use until then.
    """
    has_ended = threading.Event()

    def check() -> None:
        if has_ended.is_set():
            raise CancelledError("the caller ended the call")

    def run() -> _T:
        with cancelled_by(check):
            check_cancelled()
            return function(*arguments)

    work = threads.submit(contextvars.copy_context().run, run)
    result = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(result)
    except asyncio.CancelledError:
        has_ended.set()
        work.cancel()  # it may still wait for a thread
        await asyncio.wait([result])
        raise
