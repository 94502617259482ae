"""The fleet's part of the orchestrator: its objects, and what runs in the background."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import sqlalchemy as sa

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_common.errors import NotFoundError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.fleet.backlog import SharedBacklog
from lumenmill_orchestrator.fleet.cluster import ClusterReader
from lumenmill_orchestrator.fleet.deletion_costs import DeletionCosts
from lumenmill_orchestrator.fleet.demand_reader import DemandReader
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.fleet.mesh_view import MeshView
from lumenmill_orchestrator.fleet.scaler import ScalerServicer, serving_scaler
from lumenmill_orchestrator.fleet.view import FleetSnapshot, fleet_view
from lumenmill_orchestrator.settings import OrchestratorSettings
from lumenmill_orchestrator.storage import LoadStore

__all__ = ["Fleet"]

_MEASURE_INTERVAL_S = 5.0
_log = get_logger(__name__)


class Fleet:
    """Describes the pods, nodes and GPUs of the mesh, and reports to KEDA how much work there is."""

    def __init__(
        self, settings: OrchestratorSettings, engine: sa.Engine, mesh: MeshView, reader: ClusterReader | None
    ) -> None:
        """`reader`: None outside of Kubernetes."""
        self._settings, self._mesh, self._reader = settings, mesh, reader
        load_times = reader.load_times if reader else LoadTimes()
        self._backlog = SharedBacklog(LoadStore(engine), settings.executor_id, mesh.loads, load_times)
        self._demands = DemandReader(self._backlog, reader, load_times, mesh.models, mesh.num_workers_of)

    async def get(self, request: fleet_pb2.GetFleetRequest) -> fleet_pb2.GetFleetResponse:
        """Return the fleet as it is now.

        Raises:
            NotFoundError: there is no model of the requested name.
            UnavailableError: the API server of Kubernetes does not answer.
        """
        cluster, nodes = None, None
        if self._reader:
            cluster, nodes = await asyncio.gather(self._reader.read(), self._reader.nodes())
        snapshot = FleetSnapshot(
            cluster=cluster,
            nodes=nodes,
            addresses=self._mesh.addresses(),
            models=self._mesh.models(),
            problems=self._mesh.problems(),
            calls=self._mesh.calls(),
            loads=await self._backlog.total(),
        )
        with_pods = not request.without_pods
        view = await asyncio.to_thread(fleet_view, snapshot, only_model=request.model, with_pods=with_pods)
        if request.model and not view.models:
            raise NotFoundError(
                f"no model `{request.model}` here; `lumenmill models` (ListModels) lists those there are"
            )
        return view

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Publish the work of this replica, serve KEDA, and mark idle pods of scaled models, inside the block."""
        async with contextlib.AsyncExitStack() as parts:
            await parts.enter_async_context(self._backlog.publishing())
            if self._settings.scaler_address:
                servicer = ScalerServicer(self._demands)
                await parts.enter_async_context(serving_scaler(self._settings.scaler_address, servicer, self._settings))
            if self._reader:
                await parts.enter_async_context(DeletionCosts(self._reader, self._demands).running())
            measuring = asyncio.create_task(self._measure_for_ever())
            try:
                yield
            finally:
                measuring.cancel()
                await asyncio.gather(measuring, return_exceptions=True)

    async def _measure_for_ever(self) -> None:
        while True:
            try:
                await self._measure()
            except Exception as error:
                _log.warning("the backlog could not be measured", exc_info=error)
            await asyncio.sleep(_MEASURE_INTERVAL_S)

    async def _measure(self) -> None:
        """Set the gauges to the work of this replica: their sum over replicas is the whole.

        While there is work, this reads the cluster once a minute, so that pods are observed when they begin to serve.
        """
        loads = self._backlog.own()
        cluster = await self._demands.cluster() if any(load.num_calls for load in loads.values()) else None
        for model, load in loads.items():
            deployment = cluster.deployments.get(model) if cluster else None
            num_gpus = max(deployment.num_gpus_per_pod if deployment else 1, 1)
            metrics.BACKLOG.labels(model).set(load.backlog_s)
            metrics.GPU_BACKLOG.labels(model).set(load.backlog_s * num_gpus)
