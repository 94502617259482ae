"""Services in this process, on a free port."""

import contextlib
from collections.abc import AsyncIterator

import grpc
from google.protobuf.descriptor import FileDescriptor

from lumenmill_common.calls import connect
from lumenmill_common.families import Family, family_service
from lumenmill_common.jobs import JobQueue
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings

__all__ = ["running_family", "running_service"]


@contextlib.asynccontextmanager
async def running_service(service: Service, settings: ServiceSettings | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Serve inside the block exactly as `serve` does and yield a channel to the bound port."""
    settings = settings or ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    async with serving(settings, service) as port, connect(f"127.0.0.1:{port}", settings) as channel:
        yield channel


@contextlib.asynccontextmanager
async def running_family(family: Family, *contracts: FileDescriptor) -> AsyncIterator[grpc.aio.Channel]:
    """Serve a family inside the block as `running_service` does; jobs end with their callers."""
    async with running_service(family_service(family, JobQueue("test", grace_period_s=0.0), *contracts)) as channel:
        yield channel
