"""The durable walk of recipes."""

from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.engine import RunEngine
from lumenmill_orchestrator.walk.execution import NodeExecutor

__all__ = ["ActiveRun", "NodeExecutor", "RunEngine"]
