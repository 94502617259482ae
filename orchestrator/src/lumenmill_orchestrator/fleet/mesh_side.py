"""What the fleet learns from the mesh: where models answer, and the work that they were given."""

from collections.abc import Sequence
from dataclasses import dataclass

from lumenmill_orchestrator.mesh import Lanes, Load, Mesh

__all__ = ["Address", "MeshSide"]


@dataclass(frozen=True)
class Address:
    """One address at which a model is asked."""

    model: str
    address: str
    """`host:port`."""
    is_ready: bool


class MeshSide:
    """Reads the registered models and their lanes."""

    def __init__(self, mesh: Mesh, lanes: Lanes) -> None:
        self._mesh, self._lanes = mesh, lanes

    def models(self) -> frozenset[str]:
        """Names of the registered models."""
        return frozenset(self._mesh.models())

    def addresses(self) -> list[Address]:
        """Every address of every model."""
        return [
            Address(name, address, endpoint.serving)
            for name, model in sorted(self._mesh.models().items())
            for address, endpoint in sorted(model.endpoints.items())
        ]

    def problems(self) -> dict[str, str]:
        """Of the models that nothing serves: why."""
        return {name: model.reason for name, model in self._mesh.models().items() if not model.ready}

    def num_workers_of(self, model: str) -> int:
        """Workers of one process of a model; 1 while it has never told."""
        entry = self._mesh.models().get(model)
        return max(entry.description.limits.num_workers, 1) if entry is not None and entry.description else 1

    def loads(self) -> dict[str, Load]:
        """The work of each model in this replica."""
        return self._lanes.loads()

    def calls(self) -> dict[str, Sequence[str]]:
        """By address what this replica gave it and has no answer of, `node (run)`."""
        return self._lanes.doing()
