"""A TCP proxy whose connections a test can break, as a network does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["CuttableProxy", "proxying"]


class CuttableProxy:
    """Forwards every connection to one port of this machine until `cut`; later connections are forwarded again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        both = {writer, upstream_writer}
        self._writers |= both
        try:
            await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))
        finally:
            self._writers -= both

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._writers:
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def proxying(port: int) -> AsyncIterator[tuple[CuttableProxy, str]]:
    """Forward to a port of this machine; yield the proxy and its address."""
    proxy = CuttableProxy(port)
    server = await asyncio.start_server(proxy.forward, "127.0.0.1", 0)
    try:
        yield proxy, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        proxy.cut()
