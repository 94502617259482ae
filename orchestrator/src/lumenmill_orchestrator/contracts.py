"""The calls that recipes may name, read from the contracts.

A recipe names an RPC as `relighter.Relight`. Every package `lumenmill.<service>.v1` is searched for heavy RPCs (a
request with `job`, a stream of events with a `result`), so that a new contract needs no code here.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

import lumenmill

__all__ = ["Method", "heavy_methods", "message_class"]

_NOT_FOR_RECIPES = frozenset({"common", "orchestrator"})


@dataclass(frozen=True)
class Method:
    """One heavy RPC of one contract."""

    call: str
    """Name in recipes: `relighter.Relight`."""
    contract: str
    """Full name of the service: `lumenmill.relighter.v1.RelighterService`."""
    path: str
    """gRPC path: `/lumenmill.relighter.v1.RelighterService/Relight`."""
    descriptor: MethodDescriptor
    request: Descriptor
    response: Descriptor
    result: Descriptor

    def new_request(self) -> Message:
        """Return an empty request."""
        return message_class(self.request)()

    def new_result(self) -> Message:
        """Return an empty result."""
        return message_class(self.result)()


def message_class(descriptor: Descriptor) -> type[Message]:
    """Return the generated class of a message type."""
    return GetMessageClass(descriptor)


@cache
def heavy_methods() -> Mapping[str, Method]:
    """Return all RPCs that recipes may call, by their name in recipes."""
    return MappingProxyType({method.call: method for file in _contract_files() for method in _methods_of(file)})


def _contract_files() -> Iterator[FileDescriptor]:
    for package in pkgutil.iter_modules(lumenmill.__path__):
        if package.name in _NOT_FOR_RECIPES:
            continue
        versioned = importlib.import_module(f"lumenmill.{package.name}.v1")
        for module in pkgutil.iter_modules(versioned.__path__):
            if module.name.endswith("_pb2"):
                yield importlib.import_module(f"{versioned.__name__}.{module.name}").DESCRIPTOR


def _methods_of(file: FileDescriptor) -> Iterator[Method]:
    short_name = file.package.split(".")[1]
    for service in file.services_by_name.values():
        for method in service.methods:
            result = method.output_type.fields_by_name.get("result")
            if not method.server_streaming or "job" not in method.input_type.fields_by_name:
                continue
            if result is None or result.message_type is None:
                continue
            yield Method(
                call=f"{short_name}.{method.name}",
                contract=service.full_name,
                path=f"/{service.full_name}/{method.name}",
                descriptor=method,
                request=method.input_type,
                response=method.output_type,
                result=result.message_type,
            )
