"""Answers calls of models that were sent to the orchestrator: with UNIMPLEMENTED, and where the RPC is served."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from lumenmill.common.v1 import job_pb2, model_pb2
from lumenmill_common.errors import UnimplementedError
from lumenmill_orchestrator.contracts import heavy_methods
from lumenmill_orchestrator.mesh import Mesh

__all__ = ["MisdirectedCalls"]

_MAX_NAMED = 5
_HOW_TO_FIND = "lumenmill.orchestrator.v1.RunService/ListModels returns the addresses of all models"


class MisdirectedCalls(grpc.GenericRpcHandler):
    """Handles exactly the RPCs that models serve: names that callers make up must not become labels of metrics."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._contracts = {method.path: method.contract for method in heavy_methods().values()}
        """The contract of every RPC that some models serve, by path."""
        framework = [model_pb2.DESCRIPTOR, job_pb2.DESCRIPTOR]
        services = [service for file in framework for service in file.services_by_name.values()]
        self._served_by_all = {f"/{service.full_name}/{rpc.name}" for service in services for rpc in service.methods}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Return the handler of an RPC of models; None for every other RPC."""
        path = handler_call_details.method
        if path not in self._contracts and path not in self._served_by_all:
            return None

        async def refuse(requests: Any, context: Any) -> AsyncIterator[bytes]:
            raise UnimplementedError(
                f"the orchestrator does not serve {path.removeprefix('/')}: {self._where_served(path)}; {_HOW_TO_FIND}"
            )
            yield b""  # makes it the asynchronous generator that gRPC needs

        # Streams in both directions are compatible with every kind of RPC on the wire.
        return grpc.stream_stream_rpc_method_handler(refuse)

    def _where_served(self, path: str) -> str:
        if path in self._served_by_all:
            return "every model serves it at its own address"
        contract = self._contracts[path]
        models = [
            model
            for model in self._mesh.models().values()
            if model.description is not None and contract in model.description.contracts
        ]
        if not models:
            return "no registered model serves it"
        models.sort(key=lambda model: (not model.ready, model.name))
        named = [f"`{model.name}` at {model.address}{'' if model.ready else ' (not ready)'}" for model in models]
        return f"call {' or '.join(named[:_MAX_NAMED])}"
