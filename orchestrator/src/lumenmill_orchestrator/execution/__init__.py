"""The execution engine: runs as durable workflows, run → batch → item; see `workflows.py` first."""

from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.execution.active_runs import ActiveRuns
from lumenmill_orchestrator.execution.durable_engine import DurableEngine
from lumenmill_orchestrator.execution.reassignment import reassigning
from lumenmill_orchestrator.execution.run_states import RunStateFollower
from lumenmill_orchestrator.execution.step_executor import StepExecutor
from lumenmill_orchestrator.execution.workflows import Workflows

__all__ = ["ActiveRun", "ActiveRuns", "DurableEngine", "RunStateFollower", "StepExecutor", "Workflows", "reassigning"]
