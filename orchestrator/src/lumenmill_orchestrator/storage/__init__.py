"""The orchestrator's database: schema, migrations, the group-committing writer and the readers."""

from lumenmill_orchestrator.storage.database import (
    engine_url,
    error_for_callers,
    insert_into,
    is_database_unavailable,
    make_engine,
    query,
    retry_database,
    upgrade_schema,
)
from lumenmill_orchestrator.storage.execution_store import (
    ComputationRow,
    ExecutionRow,
    ExecutionStore,
    ResultReader,
)
from lumenmill_orchestrator.storage.export_job_store import ExportJobRow, ExportJobStore
from lumenmill_orchestrator.storage.export_store import ExportStore
from lumenmill_orchestrator.storage.load_store import LoadRow, LoadStore
from lumenmill_orchestrator.storage.model_store import ModelStore
from lumenmill_orchestrator.storage.run_store import ENDED_STATES, UNFINISHED_STATES, RunRow, RunStore, StepTotals
from lumenmill_orchestrator.storage.sample_store import SampleFilter, SampleStore, StoredSample
from lumenmill_orchestrator.storage.writer import CountDelta, GroupWriter, Rows

__all__ = [
    "ENDED_STATES",
    "UNFINISHED_STATES",
    "ComputationRow",
    "CountDelta",
    "ExecutionRow",
    "ExecutionStore",
    "ExportJobRow",
    "ExportJobStore",
    "ExportStore",
    "GroupWriter",
    "LoadRow",
    "LoadStore",
    "ModelStore",
    "ResultReader",
    "Rows",
    "RunRow",
    "RunStore",
    "SampleFilter",
    "SampleStore",
    "StepTotals",
    "StoredSample",
    "engine_url",
    "error_for_callers",
    "insert_into",
    "is_database_unavailable",
    "make_engine",
    "query",
    "retry_database",
    "upgrade_schema",
]
