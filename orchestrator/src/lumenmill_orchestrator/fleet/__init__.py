"""What works for the mesh: pods, nodes, GPUs; how much work they have, and how many of them it needs."""

from lumenmill_orchestrator.fleet.api import KubernetesApi
from lumenmill_orchestrator.fleet.cluster import ClusterReader
from lumenmill_orchestrator.fleet.cluster_supply import ClusterSupply
from lumenmill_orchestrator.fleet.export_jobs import ExportJobs
from lumenmill_orchestrator.fleet.fleet import Fleet
from lumenmill_orchestrator.fleet.jobs import KubernetesJobs
from lumenmill_orchestrator.fleet.mesh_side import MeshSide
from lumenmill_orchestrator.fleet.objects import GpuNames

__all__ = [
    "ClusterReader",
    "ClusterSupply",
    "ExportJobs",
    "Fleet",
    "GpuNames",
    "KubernetesApi",
    "KubernetesJobs",
    "MeshSide",
]
