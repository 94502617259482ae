"""Waits for conditions."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

__all__ = ["eventually"]

_CHECK_INTERVAL_S = 0.005


async def eventually(condition: Callable[[], object | Awaitable[object]], timeout_s: float = 10.0) -> None:
    """Wait until a condition, which may be asynchronous, is true.

    Raises:
        TimeoutError: it is not true after `timeout_s` seconds.
    """
    async with asyncio.timeout(timeout_s):
        while not await _value_of(condition):  # noqa: ASYNC110 - any condition, not only those with an event
            await asyncio.sleep(_CHECK_INTERVAL_S)


async def _value_of(condition: Callable[[], object | Awaitable[object]]) -> object:
    value = condition()
    return await value if inspect.isawaitable(value) else value
