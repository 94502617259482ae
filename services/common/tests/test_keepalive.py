"""A stream that is quiet for long, between machines that are busy, does not end before its result."""

import asyncio
import time

import grpc

from lumenmill.imager.v1 import imager_pb2_grpc
from lumenmill_common.calls import attempt_heavy
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings

from .tiny_service import TinyFamily, request_for

# A ping a second, the shortest interval that gRPC allows, stands for one a minute.
_PINGS = [("grpc.keepalive_time_ms", 1000), ("grpc.http2.max_pings_without_data", 0)]
# By default a server ends the connection at the fourth ping.
_STALL_S = 4.5


async def test_a_quiet_stream_survives_its_pings_and_a_stalled_event_loop(service: Service, family: TinyFamily) -> None:
    family.resume.clear()
    settings = ServiceSettings(listen_address="127.0.0.1:0", drain_s=0.0)
    async with (
        serving(settings, service) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_PINGS) as channel,
    ):
        rendering = asyncio.Event()
        stub = imager_pb2_grpc.ImagerServiceStub(channel)
        call = attempt_heavy(stub.GenerateImages, request_for("quiet"), on_event=lambda _: rendering.set())
        running = asyncio.create_task(call)
        await rendering.wait()
        time.sleep(_STALL_S)  # noqa: ASYNC251 - stalls the event loop of both sides
        family.resume.set()
        assert (await running).images[0].image.size_bytes == len("quiet")
