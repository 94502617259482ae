"""The queues of all models."""

from collections.abc import Sequence

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh.call_seconds import CallSeconds
from lumenmill_orchestrator.mesh.load import Load
from lumenmill_orchestrator.mesh.model_queue import ModelQueue, Wait
from lumenmill_orchestrator.mesh.registry import Mesh

__all__ = ["ModelQueues"]


class ModelQueues:
    """The queue of each model by name."""

    def __init__(self, mesh: Mesh, prefetch: int, retry_timeout_s: float) -> None:
        """`prefetch` calls may wait at an endpoint beyond its workers; for `retry_timeout_s` seconds calls wait for a
        model that no endpoint serves while no pod is being started."""
        self._mesh, self._prefetch, self._retry_timeout_s = mesh, prefetch, retry_timeout_s
        self.call_seconds = CallSeconds()
        """Mean durations of the calls of every kind."""
        self._queues: dict[str, ModelQueue] = {}

    def of(self, name: str) -> ModelQueue:
        """Return the queue of a model, registered or not."""
        queue = self._queues.get(name)
        if queue is None:
            model = self._mesh.model(name)
            queue = self._queues[name] = ModelQueue(model, self.call_seconds, self._prefetch, self._retry_timeout_s)
            metrics.CALLS_WAITING.labels(name).set_function(lambda: queue.num_waiting)
            metrics.CALLS_IN_FLIGHT.labels(name).set_function(lambda: queue.num_in_flight)
        return queue

    def remove_unstarted(self, run_id: str) -> None:
        """Remove the calls of a paused run that have not started."""
        for queue in self._queues.values():
            queue.remove_unstarted(run_id)

    def loads(self) -> dict[str, Load]:
        """Return the load of every model that has been called or waited for, by name."""
        return {name: queue.load() for name, queue in self._queues.items()}

    def calls_by_endpoint(self) -> dict[str, Sequence[str]]:
        """Return the calls at each endpoint of all models, for people."""
        return {
            address: calls for queue in self._queues.values() for address, calls in queue.calls_by_endpoint().items()
        }

    def waits_of(self, run_id: str) -> list[Wait]:
        """Return the models that a run waits for because no endpoint serves them, by name."""
        waits = (queue.wait_of(run_id) for _, queue in sorted(self._queues.items()))
        return [wait for wait in waits if wait is not None]
