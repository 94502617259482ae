"""What a heavy call raises when its deadline passes or its channel is closed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lumenmill_common.calls import attempt_heavy, call_heavy, call_unary
from lumenmill_common.errors import DeadlineExceededError, UnavailableError
from lumenmill_common.retries import RetryPolicy


def _ignore(_: object) -> None:
    """Take no event."""


async def _away(_: object, **_options: object) -> AsyncIterator[Any]:
    raise UnavailableError("away", retry_delay_s=60.0)
    yield


async def _closed(_: object, **_options: object) -> AsyncIterator[Any]:
    raise asyncio.CancelledError  # as gRPC does when the channel of a call is closed
    yield


async def _endless(_: object, **_options: object) -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield


async def test_a_deadline_that_passes_between_attempts_is_deadline_exceeded() -> None:
    retry = RetryPolicy({UnavailableError: 8})
    with pytest.raises(DeadlineExceededError, match="no result within"):
        await call_heavy(_away, None, timeout_s=0.05, retry=retry)  # type: ignore[type-var]  # no message is sent


async def test_a_call_whose_channel_is_closed_is_unavailable() -> None:
    with pytest.raises(UnavailableError):
        await attempt_heavy(_closed, None, on_event=_ignore)  # type: ignore[type-var]  # no message is sent
    with pytest.raises(UnavailableError):
        await call_unary(lambda _, timeout: anext(_closed(_)), None)  # type: ignore[type-var]


async def test_a_cancelled_call_is_cancelled() -> None:
    call: Any = attempt_heavy(_endless, None, on_event=_ignore)  # type: ignore[type-var]
    task = asyncio.create_task(call)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
