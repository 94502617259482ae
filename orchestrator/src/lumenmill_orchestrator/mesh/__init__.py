"""The models of the mesh: where they are, what they say of themselves, and which endpoint does which call."""

from lumenmill_orchestrator.mesh.addresses import Resolve, parse_addresses, resolve
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.capacity import CapacityProvider, CapacityState, NoCapacityProvider
from lumenmill_orchestrator.mesh.endpoint import Call, Endpoint
from lumenmill_orchestrator.mesh.lanes import Lane, Lanes, ModelAbsentError, Place, Wait, WithdrawnError
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model import MeshModel
from lumenmill_orchestrator.mesh.registry import Mesh
from lumenmill_orchestrator.mesh.whereabouts import whereabouts

__all__ = [
    "Call",
    "CallSeconds",
    "CapacityProvider",
    "CapacityState",
    "Endpoint",
    "Lane",
    "Lanes",
    "Load",
    "Mesh",
    "MeshModel",
    "ModelAbsentError",
    "NoCapacityProvider",
    "Place",
    "Resolve",
    "Wait",
    "WithdrawnError",
    "parse_addresses",
    "resolve",
    "whereabouts",
]
