"""For tests: a real server on port 0 and a channel to it."""

import contextlib
from collections.abc import AsyncIterator

import grpc

from lumenmill_common.calls import connect
from lumenmill_common.serve import Service, serving
from lumenmill_common.settings import ServiceSettings

__all__ = ["running_service"]


@contextlib.asynccontextmanager
async def running_service(service: Service, settings: ServiceSettings | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Serves inside the block exactly as `serve` does and yields a channel to the bound port."""
    settings = settings or ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    async with serving(settings, service) as port, connect(f"127.0.0.1:{port}", settings) as channel:
        yield channel
