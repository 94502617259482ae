"""Reads the demand of every model from the backlog, the mesh and the cluster."""

from collections.abc import Callable, Collection

from lumenmill_common.errors import LumenmillError
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.fleet.backlog import SharedBacklog
from lumenmill_orchestrator.fleet.cluster import Cluster, ClusterReader
from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.mesh import Load

__all__ = ["DemandReader"]

# Deployments change rarely, and KEDA waits for the answer.
_MAX_AGE_S, _TIMEOUT_S = 60.0, 1.0
_log = get_logger(__name__)


class DemandReader:
    """Puts together what is known of the work and the pods of a model."""

    def __init__(
        self,
        backlog: SharedBacklog,
        reader: ClusterReader | None,
        load_times: LoadTimes,
        registered: Callable[[], Collection[str]],
        num_workers_of: Callable[[str], int],
    ) -> None:
        """Take functions that return the models of the mesh, and the workers of one pod of a model."""
        self._backlog, self._reader, self._load_times = backlog, reader, load_times
        self._registered, self._num_workers_of = registered, num_workers_of

    def registered_models(self) -> Collection[str]:
        """Return the models that are registered."""
        return self._registered()

    async def known_models(self) -> set[str]:
        """Return the models that are registered or have a Deployment."""
        cluster = await self.cluster()
        return {*self._registered(), *(cluster.deployments if cluster else ())}

    async def read(self, model: str, target_backlog_s: float) -> Demand:
        """Return the demand of one model now. The API server of Kubernetes is not asked."""
        load = (await self._backlog.total()).get(model, Load())
        load_time_s = self._load_times.of_models().get(model, 0.0)
        return Demand(load, target_backlog_s, max(self._num_workers_of(model), 1), load_time_s)

    async def cluster(self) -> Cluster | None:
        """Return the cluster, at most a minute old, or as it was read last when the API server does not answer; None
        outside of Kubernetes and when it was never read."""
        if self._reader is None:
            return None
        try:
            return await self._reader.read(_MAX_AGE_S, timeout_s=_TIMEOUT_S)
        except LumenmillError as error:
            _log.warning("the cluster could not be read", reason=error.message)
            return self._reader.last
