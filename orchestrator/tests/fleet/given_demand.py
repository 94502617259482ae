"""A demand that a test sets."""

from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.mesh import Load


class GivenDemand:
    """Stands in for DemandReader."""

    def __init__(self) -> None:
        self.load = Load()

    async def read(self, model: str, target_backlog_s: float) -> Demand:
        return Demand(self.load, target_backlog_s)
