"""The orchestrator's database: schema, migrations, the group-committing writer and the readers."""

from lumenmill_orchestrator.storage.database import (
    database_is_away,
    engine_url,
    insert_into,
    make_engine,
    patiently,
    told_as_unavailable,
    upgrade_schema,
)
from lumenmill_orchestrator.storage.execution_store import (
    ComputationRow,
    ExecutionRow,
    ExecutionStore,
    ResultReader,
)
from lumenmill_orchestrator.storage.export_store import ExportStore
from lumenmill_orchestrator.storage.job_store import JobRow, JobStore
from lumenmill_orchestrator.storage.load_store import LoadRow, LoadStore
from lumenmill_orchestrator.storage.model_store import ModelStore
from lumenmill_orchestrator.storage.run_store import ENDED_STATES, UNENDED_STATES, RunRow, RunStore, StepTotals
from lumenmill_orchestrator.storage.sample_store import SampleFilter, SampleStore, StoredSample
from lumenmill_orchestrator.storage.writer import CountDelta, GroupWriter, Rows

__all__ = [
    "ENDED_STATES",
    "UNENDED_STATES",
    "ComputationRow",
    "CountDelta",
    "ExecutionRow",
    "ExecutionStore",
    "ExportStore",
    "GroupWriter",
    "JobRow",
    "JobStore",
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
    "database_is_away",
    "engine_url",
    "insert_into",
    "make_engine",
    "patiently",
    "told_as_unavailable",
    "upgrade_schema",
]
