"""The models of the mesh: their endpoints and descriptions, and the queues of calls to them."""

from lumenmill_orchestrator.mesh.addresses import Resolve, parse_addresses, resolve
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.capacity import CapacityProvider, CapacityState, NoCapacityProvider
from lumenmill_orchestrator.mesh.endpoint import Call, Endpoint
from lumenmill_orchestrator.mesh.job_location import find_job
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model_endpoints import ModelEndpoints
from lumenmill_orchestrator.mesh.model_queue import ModelQueue, ModelUnavailableError, RunPausedError, Slot, Wait
from lumenmill_orchestrator.mesh.queues import ModelQueues
from lumenmill_orchestrator.mesh.registry import Mesh

__all__ = [
    "Call",
    "CallSeconds",
    "CapacityProvider",
    "CapacityState",
    "Endpoint",
    "Load",
    "Mesh",
    "ModelEndpoints",
    "ModelQueue",
    "ModelQueues",
    "ModelUnavailableError",
    "NoCapacityProvider",
    "Resolve",
    "RunPausedError",
    "Slot",
    "Wait",
    "find_job",
    "parse_addresses",
    "resolve",
]
