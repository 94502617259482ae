"""The models of the mesh: where they are, what they say of themselves, and which endpoint does which call."""

from lumenmill_orchestrator.mesh.addresses import Resolve, parse_addresses, resolve
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.endpoint import Call, Endpoint
from lumenmill_orchestrator.mesh.lanes import Lane, Lanes, ModelAbsentError, Place, Wait, WithdrawnError
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model import MeshModel
from lumenmill_orchestrator.mesh.registry import Mesh
from lumenmill_orchestrator.mesh.supply import NoSupply, Supply, SupplyState
from lumenmill_orchestrator.mesh.whereabouts import whereabouts

__all__ = [
    "Call",
    "CallSeconds",
    "Endpoint",
    "Lane",
    "Lanes",
    "Load",
    "Mesh",
    "MeshModel",
    "ModelAbsentError",
    "NoSupply",
    "Place",
    "Resolve",
    "Supply",
    "SupplyState",
    "Wait",
    "WithdrawnError",
    "parse_addresses",
    "resolve",
    "whereabouts",
]
