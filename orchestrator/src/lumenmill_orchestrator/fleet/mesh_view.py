"""What the fleet reads from the mesh: the addresses of the models, and the work that they have."""

from collections.abc import Sequence
from dataclasses import dataclass

from lumenmill_orchestrator.mesh import Load, Mesh, ModelQueues

__all__ = ["MeshView", "ModelAddress"]


@dataclass(frozen=True)
class ModelAddress:
    """One address of a model."""

    model: str
    address: str
    """`host:port`."""
    is_ready: bool


class MeshView:
    """Reads the registered models and their queues."""

    def __init__(self, mesh: Mesh, queues: ModelQueues) -> None:
        self._mesh, self._queues = mesh, queues

    def models(self) -> frozenset[str]:
        """Return the names of the registered models."""
        return frozenset(self._mesh.models())

    def addresses(self) -> list[ModelAddress]:
        """Return every address of every model."""
        return [
            ModelAddress(name, address, endpoint.serving)
            for name, model in sorted(self._mesh.models().items())
            for address, endpoint in sorted(model.endpoints.items())
        ]

    def problems(self) -> dict[str, str]:
        """Return why nothing serves, by model that nothing serves."""
        return {name: model.reason for name, model in self._mesh.models().items() if not model.ready}

    def num_workers_of(self, model: str) -> int:
        """Return the number of workers of one process of a model; 1 while it is not known."""
        entry = self._mesh.models().get(model)
        return max(entry.description.limits.num_workers, 1) if entry is not None and entry.description else 1

    def loads(self) -> dict[str, Load]:
        """Return the work of each model in this replica."""
        return self._queues.loads()

    def calls(self) -> dict[str, Sequence[str]]:
        """Return the running calls of this replica by address, each as `step (run)`."""
        return self._queues.calls_by_endpoint()
