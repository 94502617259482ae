"""A TLS channel that reloads its certificates: when their files change, new calls use a new connection.

gRPC reads a client's certificates once per channel, and its Python API cannot replace them. Servers close connections
every 15 minutes, so a channel that lives for weeks must connect again with the certificates of that time.
"""

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

__all__ = ["ReloadingChannel"]

# Certificates are replaced hours before they expire; a check takes a few microseconds.
_CHECK_INTERVAL_S = 1.0
_Stamp = list[tuple[int, int, int]]


class _Connected:
    """One gRPC channel and its calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def is_idle(self) -> bool:
        return all(call.done() for call in self.calls)


class ReloadingChannel(grpc.aio.Channel):
    """Checks at each call, at most once a second, whether its files have changed; running calls are not affected."""

    def __init__(self, files: Sequence[Path], open_channel: Callable[[Sequence[bytes]], grpc.aio.Channel]) -> None:
        """`open_channel` returns a channel for the contents of the files.

        Raises:
            OSError: a file cannot be read.
        """
        self._files, self._open = files, open_channel
        self._stamp, self._contents = _stamp_of(files), _contents_of(files)
        self._checked_at_s = time.monotonic()
        self._connected = _Connected(open_channel(self._contents))
        self._former: list[_Connected] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def connected(self) -> _Connected:
        """Return the connection for new calls."""
        now_s = time.monotonic()
        if now_s - self._checked_at_s >= _CHECK_INTERVAL_S and not self._is_closed:
            self._checked_at_s = now_s
            with contextlib.suppress(OSError):  # the files are being replaced: the next check reads them
                self._reload()
            self._close_idle()
        return self._connected

    def _reload(self) -> None:
        stamp = _stamp_of(self._files)
        if stamp == self._stamp:
            return
        contents = _contents_of(self._files)
        self._stamp = stamp
        if contents != self._contents:
            self._contents = contents
            self._former.append(self._connected)
            self._connected = _Connected(self._open(contents))

    def _close_idle(self) -> None:
        """Close the channels of earlier certificates that have no running calls."""
        for former in [former for former in self._former if former.is_idle]:
            self._former.remove(former)
            task = asyncio.get_running_loop().create_task(former.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # The interface of grpc.aio.Channel.

    async def __aenter__(self) -> "ReloadingChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """As grpc.aio.Channel."""
        self._is_closed = True
        for each in (*self._former, self._connected):
            await each.channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """As grpc.aio.Channel."""
        return self.connected().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """As grpc.aio.Channel."""
        await self._connected.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """As grpc.aio.Channel."""
        await self.connected().channel.channel_ready()

    def unary_unary(self, *method: Any, **how: Any) -> Any:
        """As grpc.aio.Channel."""
        return _Method(self, "unary_unary", method, how)

    def unary_stream(self, *method: Any, **how: Any) -> Any:
        """As grpc.aio.Channel."""
        return _Method(self, "unary_stream", method, how)

    def stream_unary(self, *method: Any, **how: Any) -> Any:
        """As grpc.aio.Channel."""
        return _Method(self, "stream_unary", method, how)

    def stream_stream(self, *method: Any, **how: Any) -> Any:
        """As grpc.aio.Channel."""
        return _Method(self, "stream_stream", method, how)


class _Method:
    """One method of a stub; each call uses the newest connection."""

    def __init__(self, channel: ReloadingChannel, shape: str, method: tuple[Any, ...], how: dict[str, Any]) -> None:
        self._channel, self._shape, self._method, self._how = channel, shape, method, how
        self._connected: _Connected | None = None
        self._callable: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        connected = self._channel.connected()
        if connected is not self._connected:
            self._callable = getattr(connected.channel, self._shape)(*self._method, **self._how)
            self._connected = connected
        call = self._callable(*args, **kwargs)
        connected.calls.add(call)
        return call


def _stamp_of(files: Sequence[Path]) -> _Stamp:
    found = [file.stat() for file in files]
    return [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in found]


def _contents_of(files: Sequence[Path]) -> list[bytes]:
    return [file.read_bytes() for file in files]
