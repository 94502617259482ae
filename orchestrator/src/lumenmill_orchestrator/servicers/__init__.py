"""Proto ↔ domain, nothing else."""

from lumenmill_orchestrator.servicers.artifacts import ArtifactServicer
from lumenmill_orchestrator.servicers.runs import RunServicer

__all__ = ["ArtifactServicer", "RunServicer"]
