"""Overlapped work in another thread: when it runs, and what happens when memory is too small for both."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, repeat

import pytest
import torch

from lumenmill_common.errors import ResourceExhaustedError
from lumenmill_neural.device import find_device
from lumenmill_neural.overlapped import OverlappedWork

_FULL = torch.OutOfMemoryError("CUDA out of memory")


@pytest.fixture
def overlapped() -> OverlappedWork:
    return OverlappedWork(find_device("cpu"))


@pytest.fixture
def other() -> ThreadPoolExecutor:
    """The other thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_overlapped_work_runs_during_main_work(overlapped: OverlappedWork, other: ThreadPoolExecutor) -> None:
    with overlapped.main_work():
        assert other.submit(overlapped.after_queued(lambda: "decoded")).result(5) == "decoded"


def test_pausing_waits_for_running_work_and_starts_no_other(
    overlapped: OverlappedWork, other: ThreadPoolExecutor
) -> None:
    has_begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def decode() -> None:
        has_begun.set()
        may_end.wait(5)
        time.sleep(0.05)
        has_ended.set()

    with overlapped.main_work():
        first, second = other.submit(overlapped.after_queued(decode)), overlapped.after_queued(lambda: "second")
        has_begun.wait(5)
        may_end.set()
        assert overlapped.pause() and has_ended.is_set()
        assert not overlapped.pause()  # no work is running any more
        waiting = other.submit(second)
        time.sleep(0.05)
        assert first.done() and not waiting.done()
    assert waiting.result(5) == "second"


def test_work_that_runs_out_of_memory_is_repeated_between_two_pieces_of_main_work(
    overlapped: OverlappedWork, other: ThreadPoolExecutor
) -> None:
    is_main_work_running, tries = threading.Event(), []

    def decode() -> str:
        tries.append(is_main_work_running.is_set())
        if is_main_work_running.is_set():
            raise _FULL
        return "decoded"

    with overlapped.main_work():
        is_main_work_running.set()
        waiting = other.submit(overlapped.after_queued(decode))
        while not tries:
            time.sleep(0.001)
        assert not overlapped.pause()  # does not wait for work that itself waits for the main work to end
        is_main_work_running.clear()
    assert waiting.result(5) == "decoded" and tries == [True, False]


def test_work_that_does_not_fit_alone_is_refused_and_other_errors_pass(overlapped: OverlappedWork) -> None:
    errors = chain([ValueError("a bug")], repeat(_FULL))

    def decode() -> None:
        raise next(errors)

    with pytest.raises(ValueError, match="a bug"):
        overlapped.after_queued(decode)()
    with pytest.raises(ResourceExhaustedError, match="ask for half as many pixels or frames"):
        overlapped.after_queued(decode)()
    assert overlapped.after_queued(lambda: "the next")() == "the next"
