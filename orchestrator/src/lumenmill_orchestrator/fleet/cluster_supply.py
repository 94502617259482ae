"""What Kubernetes does for models of which no pod serves."""

from collections.abc import Iterable

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.fleet.cluster import Cluster, ClusterReader
from lumenmill_orchestrator.fleet.objects import Deployment, Pod
from lumenmill_orchestrator.mesh.supply import SupplyState

__all__ = ["ClusterSupply", "supply_state"]

_log = get_logger(__name__)
_ANSWER_WITHIN_S = 5.0
_STATE_WORDS = {
    fleet_pb2.FLEET_POD_STATE_PENDING: "is pending",
    fleet_pb2.FLEET_POD_STATE_STARTING: "starts",
    fleet_pb2.FLEET_POD_STATE_READY: "is ready, but does not answer the orchestrator",
    fleet_pb2.FLEET_POD_STATE_DRAINING: "ends",
    fleet_pb2.FLEET_POD_STATE_FAILED: "fails",
}
# Whichever is the furthest on its way speaks for the model.
_FURTHEST = (
    fleet_pb2.FLEET_POD_STATE_STARTING,
    fleet_pb2.FLEET_POD_STATE_PENDING,
)


class ClusterSupply:
    """The supply of models that have Deployments. See mesh.supply.Supply."""

    def __init__(self, reader: ClusterReader) -> None:
        self._reader = reader

    async def of(self, model: str) -> SupplyState | None:
        """What the cluster does for a model; None when it has no Deployment.

        While the API server does not answer, what was seen last holds: pods that were on their way have not turned back
        for that. None where nothing was ever seen.
        """
        cluster = await self._seen()
        deployment = cluster.deployments.get(model) if cluster is not None else None
        return None if cluster is None or deployment is None else supply_state(deployment, cluster.pods_of(model))

    async def _seen(self) -> Cluster | None:
        try:
            return await self._reader.read(within_s=_ANSWER_WITHIN_S)
        except LumenmillError as error:
            _log.warning("the cluster could not be read", reason=error.message)
            return self._reader.last


def supply_state(deployment: Deployment, pods: Iterable[Pod]) -> SupplyState:
    """What is being done for a model, told by its Deployment and its pods."""
    living = [pod for pod in pods if pod.state != fleet_pb2.FLEET_POD_STATE_DRAINING and not pod.condition.has_ended]
    if not deployment.num_desired:
        return _none_desired(deployment)
    for state in _FURTHEST:
        coming = next((pod for pod in living if pod.state == state and not pod.condition.is_stuck), None)
        if coming is not None:
            return SupplyState(is_coming=True, reason=_told(coming))
    if living:
        # One that is ready comes first: then the pods are right, and something lies between them and us.
        ready = fleet_pb2.FLEET_POD_STATE_READY
        return SupplyState(is_coming=False, reason=_told(min(living, key=lambda pod: pod.state != ready)))
    if deployment.failure:
        return SupplyState(is_coming=False, reason=f"no pod of {deployment.name} can be made: {deployment.failure}")
    return SupplyState(is_coming=True, reason=f"a pod of {deployment.name} is being made")


def _none_desired(deployment: Deployment) -> SupplyState:
    name = deployment.name
    if deployment.is_scaled and deployment.max_replicas > 0:
        return SupplyState(is_coming=True, reason=f"{name} is scaled to zero, a pod is being asked for")
    return SupplyState(
        is_coming=False,
        reason=f"{name} has no pods and nothing scales it: kubectl scale deployment {name} --replicas=1, or give the "
        "model minReplicas and maxReplicas in the chart's values",
    )


def _told(pod: Pod) -> str:
    problem = pod.condition.problem
    return f"pod {pod.name} {_STATE_WORDS[pod.state]}" + (f": {problem}" if problem else "")
