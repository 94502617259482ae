"""The durable walk of recipes."""

from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.engine import RunEngine
from lumenmill_orchestrator.walk.execution import StepExecutor
from lumenmill_orchestrator.walk.takeover import taking_over

__all__ = ["ActiveRun", "RunEngine", "StepExecutor", "taking_over"]
