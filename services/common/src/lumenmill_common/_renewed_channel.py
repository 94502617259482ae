"""A channel over TLS that outlives its certificates: when their files have changed, new calls go over a new connection.

gRPC reads a client's certificates once for each channel, and has no way in Python to be given others. Servers renew
connections every quarter of an hour, so that a channel that lives for weeks would fail in the middle of them.
"""

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

__all__ = ["RenewedChannel"]

# Certificates are replaced hours before they end; a look is a few microseconds.
_LOOK_EVERY_S = 1.0
_Stamp = list[tuple[int, int, int]]


class _Connected:
    """One channel of gRPC, and its calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def is_idle(self) -> bool:
        return all(call.done() for call in self.calls)


class RenewedChannel(grpc.aio.Channel):
    """Looks at each call, at most once a second, whether its files have changed. Running calls end where they began."""

    def __init__(self, files: Sequence[Path], open_channel: Callable[[Sequence[bytes]], grpc.aio.Channel]) -> None:
        """`open_channel` makes a channel from what is in the files.

        Raises:
            OSError: a file cannot be read.
        """
        self._files, self._open = files, open_channel
        self._stamp, self._contents = _stamp_of(files), _contents_of(files)
        self._looked_at_s = time.monotonic()
        self._connected = _Connected(open_channel(self._contents))
        self._former: list[_Connected] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def connected(self) -> _Connected:
        """What new calls go over."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s >= _LOOK_EVERY_S and not self._is_closed:
            self._looked_at_s = now_s
            with contextlib.suppress(OSError):  # they are being replaced: the next look finds them
                self._renew()
            self._close_idle()
        return self._connected

    def _renew(self) -> None:
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
        """Close what certificates of earlier had opened, where no call runs any more."""
        for former in [former for former in self._former if former.is_idle]:
            self._former.remove(former)
            task = asyncio.get_running_loop().create_task(former.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    # As gRPC knows a channel.

    async def __aenter__(self) -> "RenewedChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        self._is_closed = True
        for each in (*self._former, self._connected):
            await each.channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self.connected().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._connected.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self.connected().channel.channel_ready()

    def unary_unary(self, *method: Any, **how: Any) -> Any:
        return _Method(self, "unary_unary", method, how)

    def unary_stream(self, *method: Any, **how: Any) -> Any:
        return _Method(self, "unary_stream", method, how)

    def stream_unary(self, *method: Any, **how: Any) -> Any:
        return _Method(self, "stream_unary", method, how)

    def stream_stream(self, *method: Any, **how: Any) -> Any:
        return _Method(self, "stream_stream", method, how)


class _Method:
    """One method of a stub, over whatever is connected when it is called."""

    def __init__(self, channel: RenewedChannel, shape: str, method: tuple[Any, ...], how: dict[str, Any]) -> None:
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
