"""The built-in scaling loop, and the marks by which idle pods are removed first whoever scales."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable

from lumenmill_common.errors import LumenmillError, NotFoundError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.fleet.api import ApiObject, KubernetesApi
from lumenmill_orchestrator.fleet.cluster import ClusterReader
from lumenmill_orchestrator.fleet.demand import DEFAULT_TARGET_BACKLOG_S
from lumenmill_orchestrator.fleet.demands import Demands
from lumenmill_orchestrator.fleet.lease import Lease
from lumenmill_orchestrator.fleet.objects import DELETION_COST, Deployment, Pod
from lumenmill_orchestrator.fleet.stabiliser import Stabiliser, needed_pods
from lumenmill_orchestrator.mesh import Load

__all__ = ["ScalingLoop"]

_EVERY_S = 5.0
# Where nothing is scaled: a Deployment that says otherwise is found within a minute.
_LOOK_AGAIN_S = 60.0
_MERGE = "application/merge-patch+json"
_log = get_logger(__name__)


class ScalingLoop:
    """Changes the number of pods of models whose Deployments say `builtin`; marks pods of all that are scaled."""

    def __init__(
        self, api: KubernetesApi, reader: ClusterReader, demands: Demands, lease: Lease, *, scales: bool
    ) -> None:
        """`scales`: whether numbers are changed, or pods marked alone."""
        self._api, self._reader, self._demands, self._lease, self._scales = api, reader, demands, lease, scales
        self._stabilisers: dict[str, Stabiliser] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Scale inside the block."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            is_anything_scaled = True
            try:
                is_anything_scaled = await self.look(time.time())
            except LumenmillError as error:
                _log.warning("models could not be scaled", reason=error.message)
            except Exception as error:
                _log.error("models could not be scaled", exc_info=error)
            await asyncio.sleep(_EVERY_S if is_anything_scaled else _LOOK_AGAIN_S)

    async def look(self, now_s: float) -> bool:
        """Do once what is to be done, if this replica is the one to do it; whether anything is scaled at all.

        Raises:
            LumenmillError: the API server does not answer, or refuses.
        """
        deployments = await self._reader.deployments()
        scaled = [deployment for deployment in deployments.values() if deployment.is_scaled]
        # Marks are the same whoever makes them; numbers are changed by one.
        if not scaled or (self._scales and not await self._api.in_thread(self._lease.hold)):
            self._stabilisers.clear()
            return bool(scaled)
        for deployment in scaled:
            try:
                await self._scale(deployment, now_s)
            except LumenmillError as error:
                _log.warning("a model could not be scaled", model=deployment.model, reason=error.message)
        return True

    async def _scale(self, deployment: Deployment, now_s: float) -> None:
        demand = await self._demands.of(deployment.model, deployment.target_backlog_s or DEFAULT_TARGET_BACKLOG_S)
        num_needed = needed_pods(demand, deployment, now_s)
        if num_needed < deployment.num_desired:
            pods = (await self._reader.read()).pods_of(deployment.model)
            await self._api.in_thread(self._mark, pods, demand.load)
        if not self._scales or deployment.scaling != "builtin":
            return
        stabiliser = self._stabilisers.setdefault(deployment.model, Stabiliser(deployment.num_desired, now_s))
        num_desired = stabiliser.num_desired(
            deployment.num_desired, num_needed, deployment.scale_down_stabilization_s, now_s
        )
        if num_desired != deployment.num_desired:
            await self._api.in_thread(
                self._patch, f"{self._path(deployment)}/scale", {"spec": {"replicas": num_desired}}
            )
            _log.info(
                "scaled", model=deployment.model, before=deployment.num_desired, now=num_desired,
                num_calls=demand.load.num_calls, backlog_s=round(demand.load.backlog_s),
            )  # fmt: skip

    def _mark(self, pods: Iterable[Pod], load: Load) -> None:
        """Let the pods with fewest calls go first. Only when some are to go soon: each mark is a write."""
        num_calls_at = {address.rpartition(":")[0].strip("[]"): number for address, number in load.num_calls_at.items()}
        for pod in pods:
            cost = str(num_calls_at.get(pod.ip, 0))
            if cost != (pod.deletion_cost or "0"):
                path = f"/api/v1/namespaces/{self._reader.namespace}/pods/{pod.name}"
                with contextlib.suppress(NotFoundError):  # it has gone meanwhile
                    self._patch(path, {"metadata": {"annotations": {DELETION_COST: cost}}})

    def _path(self, deployment: Deployment) -> str:
        return f"/apis/apps/v1/namespaces/{self._reader.namespace}/deployments/{deployment.name}"

    def _patch(self, path: str, change: ApiObject) -> None:
        self._api.request("PATCH", path, change, content_type=_MERGE)
