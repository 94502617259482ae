"""What an interrupted item had finished before this process executes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.execution.outcomes import Outcome
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import ExecutionRow, ExecutionStore

__all__ = ["ResumeState", "read_resume_state"]


@dataclass(frozen=True)
class ResumeState:
    """The finished executions of an item, and the persisted results behind them."""

    rows: Mapping[tuple[str, int], ExecutionRow]
    """By step and instance."""
    results: Mapping[str, bytes]
    """By content key."""

    def outcome(self, step: Step, index: int) -> Outcome | None:
        """Return how an instance ended; None when it has to be executed."""
        row = self.rows.get((step.name, index))
        if row is None:
            return None
        stored = self.results.get(row.content_key)
        if stored is None:
            # Accepted without its result is not usable: the step is executed again.
            return Outcome(row.verdict, row.reason) if row.verdict != run_pb2.VERDICT_ACCEPTED else None
        result = step.method.new_result()
        result.ParseFromString(stored)
        return Outcome(row.verdict, row.reason, result)


def read_resume_state(executions: ExecutionStore, run_id: str, item_id: str) -> ResumeState:
    """Read what an item has finished. Synchronous: call it from a worker thread."""
    rows = {(row.step, row.instance): row for row in executions.of_item(run_id, item_id)}
    keys = {row.content_key for row in rows.values() if row.content_key}
    return ResumeState(rows, executions.results(keys) if keys else {})
