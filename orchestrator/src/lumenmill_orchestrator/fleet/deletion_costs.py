"""Marks the pods of scaled models by their number of calls, so that Kubernetes removes idle ones first."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable

from lumenmill_common.errors import LumenmillError, NotFoundError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.cluster import ClusterReader
from lumenmill_orchestrator.fleet.demand import DEFAULT_TARGET_BACKLOG_S, Demand
from lumenmill_orchestrator.fleet.demand_reader import DemandReader
from lumenmill_orchestrator.fleet.objects import DELETION_COST, Deployment, Pod
from lumenmill_orchestrator.mesh import Load

__all__ = ["DeletionCosts", "needed_pods"]

_INTERVAL_S = 5.0
# Without scaled models: a Deployment that becomes scaled is noticed within a minute.
_IDLE_INTERVAL_S = 60.0
_log = get_logger(__name__)


def needed_pods(demand: Demand, deployment: Deployment, now_s: float) -> int:
    """Return the pods that a model needs now, between its bounds. `now_s`: Unix seconds."""
    num_pods = max(demand.num_pods, int(demand.is_active(now_s)))
    return min(max(num_pods, deployment.min_replicas), deployment.max_replicas)


class DeletionCosts:
    """Writes `controller.kubernetes.io/pod-deletion-cost` before KEDA lowers a number of pods.

    Every replica of the orchestrator does so: they write the same values.
    """

    def __init__(self, reader: ClusterReader, demands: DemandReader) -> None:
        self._reader, self._demands = reader, demands

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Mark pods inside the block."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            has_scaled_models = True
            try:
                has_scaled_models = await self.update(time.time())
            except LumenmillError as error:
                _log.warning("pods could not be marked", reason=error.message)
            except Exception as error:
                _log.error("pods could not be marked", exc_info=error)
            await asyncio.sleep(_INTERVAL_S if has_scaled_models else _IDLE_INTERVAL_S)

    async def update(self, now_s: float) -> bool:
        """Mark the pods of all models that have more than they need; return whether any model is scaled.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        deployments = await self._reader.deployments()
        scaled = [deployment for deployment in deployments.values() if deployment.is_scaled]
        for deployment in scaled:
            await self._mark_if_too_many(deployment, now_s)
        return bool(scaled)

    async def _mark_if_too_many(self, deployment: Deployment, now_s: float) -> None:
        """Each mark is a write: pods are marked only when some are to be removed soon."""
        demand = await self._demands.read(deployment.model, deployment.target_backlog_s or DEFAULT_TARGET_BACKLOG_S)
        if needed_pods(demand, deployment, now_s) < deployment.num_desired:
            pods = (await self._reader.read()).pods_of(deployment.model)
            try:
                await self._reader.api.in_thread(self._mark, pods, demand.load)
            except LumenmillError as error:
                _log.warning("the pods of a model could not be marked", model=deployment.model, reason=error.message)

    def _mark(self, pods: Iterable[Pod], load: Load) -> None:
        num_calls_at = {address.rpartition(":")[0].strip("[]"): number for address, number in load.num_calls_at.items()}
        for pod in pods:
            cost = str(num_calls_at.get(pod.ip, 0))
            if cost != (pod.deletion_cost or "0"):
                path = f"/api/v1/namespaces/{self._reader.namespace}/pods/{pod.name}"
                change = {"metadata": {"annotations": {DELETION_COST: cost}}}
                with contextlib.suppress(NotFoundError):  # it was removed meanwhile
                    self._reader.api.request("PATCH", path, change, content_type="application/merge-patch+json")
