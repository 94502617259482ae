"""The models of the mesh: where they are, and how many calls each may have."""

from lumenmill_orchestrator.mesh.lanes import Lane, Lanes
from lumenmill_orchestrator.mesh.registry import Mesh, MeshModel, parse_addresses

__all__ = ["Lane", "Lanes", "Mesh", "MeshModel", "parse_addresses"]
