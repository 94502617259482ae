"""All RPCs of the mesh, read from the generated modules, so that new ones are included automatically."""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import lumenmill

__all__ = ["RPCS", "Rpc"]


@dataclass(frozen=True)
class Rpc:
    """One RPC and its message types."""

    method: MethodDescriptor

    @property
    def service(self) -> str:
        """Full name of its service."""
        return str(self.method.containing_service.full_name)

    @property
    def path(self) -> str:
        """`/package.Service/Method`."""
        return f"/{self.service}/{self.method.name}"

    @property
    def name(self) -> str:
        """`ImagerService.GenerateImages`."""
        return f"{self.method.containing_service.name}.{self.method.name}"

    @property
    def request_type(self) -> type[Message]:
        """Class of its requests."""
        return GetMessageClass(self.method.input_type)

    @property
    def response_type(self) -> type[Message]:
        """Class of its responses."""
        return GetMessageClass(self.method.output_type)

    @property
    def is_heavy(self) -> bool:
        """Whether it runs a job: its request has JobOptions."""
        return "job" in self.method.input_type.fields_by_name

    @property
    def is_watched(self) -> bool:
        """Whether its stream stays open for as long as the watched object exists."""
        return bool(self.method.server_streaming and self.method.name.startswith("Watch"))

    @property
    def kind(self) -> str:
        """Name of the method of the channel for it, such as `unary_stream`."""
        sides = (
            ("stream" if self.method.client_streaming else "unary"),
            ("stream" if self.method.server_streaming else "unary"),
        )
        return "_".join(sides)


def _files() -> list[FileDescriptor]:
    modules: list[Any] = [health_pb2, reflection_pb2]
    for found in pkgutil.walk_packages(lumenmill.__path__, "lumenmill."):
        if found.name.endswith("_pb2"):
            modules.append(importlib.import_module(found.name))
    return [module.DESCRIPTOR for module in modules]


def _rpcs() -> dict[str, Rpc]:
    found = [
        Rpc(method) for file in _files() for service in file.services_by_name.values() for method in service.methods
    ]
    return {rpc.name: rpc for rpc in found}


RPCS = _rpcs()
