"""The durable walk of recipes."""

from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.engine import RunEngine
from lumenmill_orchestrator.walk.execution import NodeExecutor
from lumenmill_orchestrator.walk.takeover import taking_over

__all__ = ["ActiveRun", "NodeExecutor", "RunEngine", "taking_over"]
