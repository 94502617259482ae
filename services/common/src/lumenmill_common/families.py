"""How a model family is served: every RPC of its contracts becomes a job, and nobody writes a servicer."""

import asyncio
import re
import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Protocol

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from lumenmill.common.v1.model_pb2 import Model
from lumenmill_common.cancellation import cancelled_by
from lumenmill_common.errors import CancelledError, UnimplementedError
from lumenmill_common.jobs import BatchWork, JobQueue, Work
from lumenmill_common.service import Contract, Service

__all__ = ["Family", "family_service", "method_name"]

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class Family(Protocol):
    """The code that keeps contracts with one kind of model: proto in, proto out.

    Besides these two methods a family has one for each RPC that it serves, named as the RPC in snake case:

        def generate_images(self, request: GenerateImagesRequest) -> Work | BatchWork

    It checks the request and returns the work. It is called in a thread and may block, to open media for example. The
    work is executed by a worker, when its turn in the queue comes. Both raise LumenmillError. RPCs of the contract that
    the family has no method for are answered UNIMPLEMENTED.
    """

    @abstractmethod
    def load(self) -> None:
        """Prepare for work: load weights and compute a small result. Called once in each worker thread.

        Raises:
            LumenmillError: it cannot serve, for example because its checkpoint is missing or damaged.
        """

    @abstractmethod
    def describe(self) -> Model:
        """Return the description of the loaded model, for GetModel."""


def family_service(family: Family, jobs: JobQueue, *contracts: FileDescriptor) -> Service:
    """Return the service that keeps all contracts of the given proto files by one family; its name is the queue's."""
    services = [service for file in contracts for service in file.services_by_name.values()]
    bound = [_contract(service, family, jobs) for service in services]
    return Service(jobs.name, bound, model=family.describe, load=family.load, jobs=jobs, store=jobs.store)


def method_name(rpc: str) -> str:
    """Return the name of the family's method for an RPC: `generate_images` for `GenerateImages`."""
    return _WORD_START.sub("_", rpc).lower()


def _contract(service: ServiceDescriptor, family: Family, jobs: JobQueue) -> Contract:
    handlers = {method.name: _handler(method, family, jobs) for method in service.methods}
    return Contract(service.full_name, partial(_add, grpc.method_handlers_generic_handler(service.full_name, handlers)))


def _add(handler: grpc.GenericRpcHandler, server: grpc.aio.Server) -> None:
    server.add_generic_rpc_handlers((handler,))


def _handler(method: MethodDescriptor, family: Family, jobs: JobQueue) -> "grpc.RpcMethodHandler[Any, Any]":
    response_type = GetMessageClass(method.output_type)
    work_of: Callable[[Any], Work | BatchWork] | None = getattr(family, method_name(method.name), None)

    async def respond(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> AsyncIterator[Any]:
        if work_of is None:
            raise UnimplementedError(f"{jobs.name} does not serve {method.name}")
        work = await _work_of_call(work_of, request)
        async for response in jobs.respond(request, response_type, work, deadline_s=context.time_remaining()):
            yield response

    return grpc.unary_stream_rpc_method_handler(
        respond,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=response_type.SerializeToString,
    )


async def _work_of_call(work_of: Callable[[Any], Work | BatchWork], request: Any) -> Work | BatchWork:
    """Return the work of a request, in a thread that stops decoding media when the call ends."""
    ended = threading.Event()

    def check() -> None:
        if ended.is_set():
            raise CancelledError("the call has ended")

    def checked() -> Work | BatchWork:
        with cancelled_by(check):
            return work_of(request)

    try:
        return await asyncio.to_thread(checked)
    finally:
        ended.set()
