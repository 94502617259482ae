"""The orchestrator's own RPCs; proto in, proto out."""

from lumenmill_orchestrator.servicers.artifacts import ArtifactServicer
from lumenmill_orchestrator.servicers.misdirected_calls import MisdirectedCalls
from lumenmill_orchestrator.servicers.runs import RunServicer
from lumenmill_orchestrator.servicers.upload_quota import UploadQuota

__all__ = ["ArtifactServicer", "MisdirectedCalls", "RunServicer", "UploadQuota"]
