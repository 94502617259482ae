"""All services of the mesh, served in this process as in production, and all their RPCs."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lumenmill_captioner.__main__ import captioner_service
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.serve import serving
from lumenmill_common.service import Service
from lumenmill_common.settings import ServiceSettings
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings
from lumenmill_prompter.__main__ import prompter_service
from lumenmill_prompter.settings import PrompterSettings
from lumenmill_studio.__main__ import studio_service
from lumenmill_studio.settings import StudioSettings

OPEN_TO_ALL = "grpc.health.v1.Health"


def _orchestrator(folder: Path, given: dict[str, Any]) -> tuple[ServiceSettings, Service]:
    settings = OrchestratorSettings(**given, database_url=f"sqlite:///{folder}/orchestrator.sqlite", models="{}")
    return settings, orchestrator_service(settings)


def _prompter(_: Path, given: dict[str, Any]) -> tuple[ServiceSettings, Service]:
    settings = PrompterSettings(**given)
    return settings, prompter_service(settings)


def _captioner(_: Path, given: dict[str, Any]) -> tuple[ServiceSettings, Service]:
    settings = CaptionerSettings(**given)
    return settings, captioner_service(settings)


def _studio(_: Path, given: dict[str, Any]) -> tuple[ServiceSettings, Service]:
    settings = StudioSettings(**given)
    return settings, studio_service(settings)


SERVICES: dict[str, Callable[[Path, dict[str, Any]], tuple[ServiceSettings, Service]]] = {
    "orchestrator": _orchestrator,
    "prompter": _prompter,
    "captioner": _captioner,
    "studio": _studio,
}


@contextlib.asynccontextmanager
async def serving_in(folder: Path, name: str, **security: Path) -> AsyncIterator[int]:
    """Serve a service with these security settings and yield its port."""
    given = {"listen_address": "127.0.0.1:0", "drain_s": 0.0, "store_url": f"file://{folder}/store", **security}
    settings, service = SERVICES[name](folder, given)
    async with serving(settings, service) as port:
        yield port


async def rpcs_of(channel: grpc.aio.Channel, metadata: dict[str, str]) -> list[str]:
    """Return the paths of all RPCs of a server, `/package.Service/Method`, by reflection."""
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
        iter([request]), metadata=list(metadata.items())
    )
    result: Any = await call.read()  # type: ignore[attr-defined]
    services = [entry.name for entry in result.list_services_response.service]
    pool = descriptor_pool.Default()
    return [f"/{name}/{method.name}" for name in services for method in pool.FindServiceByName(name).methods]


async def status_of(channel: grpc.aio.Channel, path: str, metadata: dict[str, str]) -> grpc.StatusCode:
    """Return the status of an RPC called with an empty message; OK as soon as it sends a response."""
    # One request and many responses are compatible with every kind of RPC on the wire.
    call = channel.unary_stream(path, request_serializer=bytes, response_deserializer=bytes)(
        b"", timeout=10, metadata=list(metadata.items())
    )
    try:
        answered = await call.read() is not grpc.aio.EOF
    except grpc.RpcError as error:
        return error.code()  # type: ignore[attr-defined,no-any-return]
    if answered:
        call.cancel()
        return grpc.StatusCode.OK
    return await call.code()
