"""The pods, nodes and GPUs of the mesh: what they work on, how many pods are needed, and what does not fit."""

from lumenmill_orchestrator.fleet.api import KubernetesApi
from lumenmill_orchestrator.fleet.cluster import ClusterReader
from lumenmill_orchestrator.fleet.cluster_capacity import ClusterCapacity
from lumenmill_orchestrator.fleet.export_jobs import ExportJobs
from lumenmill_orchestrator.fleet.fleet import Fleet
from lumenmill_orchestrator.fleet.kubernetes_jobs import KubernetesJobs
from lumenmill_orchestrator.fleet.mesh_view import MeshView
from lumenmill_orchestrator.fleet.objects import GpuNames

__all__ = [
    "ClusterCapacity",
    "ClusterReader",
    "ExportJobs",
    "Fleet",
    "GpuNames",
    "KubernetesApi",
    "KubernetesJobs",
    "MeshView",
]
