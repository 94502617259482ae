"""Work beside the worker's, in another thread: when it may run, and what happens without room for both."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

import pytest
import torch
from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.beside import Beside
from lumenmill_neural.device import find_device

_FULL = torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def beside() -> Beside:
    return Beside(find_device("cpu"))


@pytest.fixture
def other() -> ThreadPoolExecutor:
    """The other thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_it_goes_on_while_the_worker_works(beside: Beside, other: ThreadPoolExecutor) -> None:
    with beside.working():
        assert other.submit(beside.after_now(lambda: "decoded")).result(5) == "decoded"


def test_a_worker_without_memory_waits_for_it_and_keeps_it_away(beside: Beside, other: ThreadPoolExecutor) -> None:
    has_begun, may_end, is_done = threading.Event(), threading.Event(), threading.Event()

    def decode() -> None:
        has_begun.set()
        may_end.wait(5)
        time.sleep(0.05)
        is_done.set()

    with beside.working():
        first, second = other.submit(beside.after_now(decode)), beside.after_now(lambda: "second")
        has_begun.wait(5)
        may_end.set()
        assert beside.keep_away() and is_done.is_set()
        assert not beside.keep_away()  # there is nothing any more
        waiting = other.submit(second)
        time.sleep(0.05)
        assert first.done() and not waiting.done()
    assert waiting.result(5) == "second"


def test_without_room_it_is_done_between_two_works(beside: Beside, other: ThreadPoolExecutor) -> None:
    is_at_work, tries = threading.Event(), []

    def decode() -> str:
        tries.append(is_at_work.is_set())
        if is_at_work.is_set():
            raise _FULL
        return "decoded"

    with beside.working():
        is_at_work.set()
        waiting = other.submit(beside.after_now(decode))
        while not tries:
            time.sleep(0.001)
        assert not beside.keep_away()  # without waiting for what itself waits for this work to end
        is_at_work.clear()
    assert waiting.result(5) == "decoded" and tries == [True, False]


def test_what_does_not_fit_by_itself_is_refused_and_other_errors_pass(beside: Beside) -> None:
    errors = chain([ValueError("a bug")], repeat(_FULL))

    def decode() -> None:
        raise next(errors)

    with pytest.raises(ValueError, match="a bug"):
        beside.after_now(decode)()
    with pytest.raises(ResourceExhaustedError, match="ask for half as many pixels or frames"):
        beside.after_now(decode)()
    assert beside.after_now(lambda: "the next")() == "the next"
