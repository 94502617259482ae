"""The capacity provider of Kubernetes: what a cluster does for models that no pod serves."""

from collections.abc import Iterable

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.cluster import Cluster, ClusterReader
from lumenmill_orchestrator.fleet.objects import Deployment, Pod
from lumenmill_orchestrator.mesh.capacity import CapacityState

__all__ = ["ClusterCapacity", "capacity_state"]

_log = get_logger(__name__)
_TIMEOUT_S = 5.0
_PHRASES = {
    fleet_pb2.FLEET_POD_STATE_PENDING: "is pending",
    fleet_pb2.FLEET_POD_STATE_STARTING: "starts",
    fleet_pb2.FLEET_POD_STATE_READY: "is ready, but does not answer the orchestrator",
    fleet_pb2.FLEET_POD_STATE_DRAINING: "ends",
    fleet_pb2.FLEET_POD_STATE_FAILED: "fails",
}
# The pod that will serve first represents the model.
_COMING = (fleet_pb2.FLEET_POD_STATE_STARTING, fleet_pb2.FLEET_POD_STATE_PENDING)


class ClusterCapacity:
    """Reports what is being done for models that have Deployments. See mesh.capacity.CapacityProvider."""

    def __init__(self, reader: ClusterReader) -> None:
        self._reader = reader

    async def state_of(self, model: str) -> CapacityState | None:
        """Return what the cluster does for a model; None when it has no Deployment.

        While the API server does not answer, the state that was read last is kept: pods that were starting continue to.
        None when nothing was ever read.
        """
        cluster = await self._read()
        deployment = cluster.deployments.get(model) if cluster is not None else None
        return None if cluster is None or deployment is None else capacity_state(deployment, cluster.pods_of(model))

    async def _read(self) -> Cluster | None:
        try:
            return await self._reader.read(timeout_s=_TIMEOUT_S)
        except LumenmillError as error:
            _log.warning("the cluster could not be read", reason=error.message)
            return self._reader.last


def capacity_state(deployment: Deployment, pods: Iterable[Pod]) -> CapacityState:
    """Return what is being done for a model, given its Deployment and its pods."""
    if not deployment.num_desired:
        return _without_pods(deployment)
    alive = [pod for pod in pods if pod.state != fleet_pb2.FLEET_POD_STATE_DRAINING and not pod.status.has_ended]
    for state in _COMING:
        coming = next((pod for pod in alive if pod.state == state and not pod.status.is_stuck), None)
        if coming is not None:
            return CapacityState(is_coming=True, reason=_describe(coming))
    if alive:
        # A ready pod comes first: then the pods are right, and something between them and the orchestrator is wrong.
        ready = fleet_pb2.FLEET_POD_STATE_READY
        return CapacityState(is_coming=False, reason=_describe(min(alive, key=lambda pod: pod.state != ready)))
    if deployment.failure:
        reason = f"no pod of {deployment.name} can be created: {deployment.failure}"
        return CapacityState(is_coming=False, reason=reason)
    return CapacityState(is_coming=True, reason=f"a pod of {deployment.name} is being created")


def _without_pods(deployment: Deployment) -> CapacityState:
    name = deployment.name
    if deployment.is_scaled and deployment.max_replicas > 0:
        return CapacityState(is_coming=True, reason=f"{name} is scaled to zero, a pod is being requested")
    return CapacityState(
        is_coming=False,
        reason=f"{name} has no pods and nothing scales it: kubectl scale deployment {name} --replicas=1, or give the "
        "model minReplicas and maxReplicas in the chart's values",
    )


def _describe(pod: Pod) -> str:
    problem = pod.status.problem
    return f"pod {pod.name} {_PHRASES[pod.state]}" + (f": {problem}" if problem else "")
