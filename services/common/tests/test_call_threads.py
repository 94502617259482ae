"""Blocking parts of calls in threads of executors."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lumenmill.common.v1 import access_pb2
from lumenmill_common.call_threads import in_thread, in_thread_to_its_end
from lumenmill_common.caller import Caller, current_caller, enter_call
from lumenmill_common.testing import eventually

_SAM = Caller("sam", access_pb2.CALLER_ROLE_SUBMITTER)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


async def test_a_thread_knows_the_caller(threads: ThreadPoolExecutor) -> None:
    enter_call(_SAM)
    assert await in_thread(threads, current_caller) == _SAM
    assert await in_thread_to_its_end(threads, current_caller) == _SAM


async def test_a_cancelled_call_ends_when_its_thread_has_ended(threads: ThreadPoolExecutor) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        has_begun.set()
        may_end.wait()

    call, waiting = (asyncio.create_task(in_thread_to_its_end(threads, work)) for _ in range(2))
    await eventually(has_begun.is_set)
    call.cancel()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting  # it had no thread
    assert not call.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await call
