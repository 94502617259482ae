"""What one process serves."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from lumenmill.common.v1 import job_pb2_grpc, model_pb2, model_pb2_grpc
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.jobs import JobQueue
from lumenmill_common.servicers import JobServicer, ModelServicer

__all__ = ["Contract", "Service"]


@dataclass(frozen=True)
class Contract:
    """One proto service, and how its handlers are added to a server."""

    full_name: str
    """For example `lumenmill.imager.v1.ImagerService`."""
    add_to: Callable[[grpc.aio.Server], None]


@dataclass(frozen=True)
class Service:
    """Everything that one process serves."""

    name: str
    contracts: Sequence[Contract]
    other_calls: grpc.GenericRpcHandler | None = None
    """Answers RPCs of contracts that are not served here; reflection and health do not list them."""
    model: Callable[[], model_pb2.Model] | None = None
    """Describes the model; called after `load`. None for services without a model."""
    load: Callable[[], None] | None = None
    """Blocks until the model is ready; run in every worker thread before health says SERVING."""
    jobs: JobQueue | None = None
    store: ArtifactStore | None = None
    """Must be usable before `load`. None for services that start without their store."""
    background: Sequence[Callable[[], contextlib.AbstractAsyncContextManager[Any]]] = field(default=())
    """Entered after `load`, left on drain: whatever else lives as long as the server."""
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when running calls are the last: streams that have no end of their own should end."""
    translate_error: Callable[[Exception], Exception] = lambda error: error
    """Returns the LumenmillError for an error of a library that the service knows, such as a database's; else the error
    itself."""

    def all_contracts(self, ready: asyncio.Event) -> list[Contract]:
        """Return the service's own contracts and those of the framework. `ready` is set once the model is loaded."""
        contracts = list(self.contracts)
        if self.model:
            names = [contract.full_name for contract in self.contracts]
            model = ModelServicer(self.model, names, self.jobs, ready)
            add_model = partial(model_pb2_grpc.add_ModelServiceServicer_to_server, model)
            contracts.append(Contract("lumenmill.common.v1.ModelService", add_model))
        if self.jobs:
            add_jobs = partial(job_pb2_grpc.add_JobServiceServicer_to_server, JobServicer(self.jobs))
            contracts.append(Contract("lumenmill.common.v1.JobService", add_jobs))
        return contracts
