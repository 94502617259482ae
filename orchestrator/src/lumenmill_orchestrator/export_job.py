"""Runs one export in a process of its own: `python -m lumenmill_orchestrator.export_job`, in a Kubernetes Job.

LUMENMILL_EXPORT_REQUEST holds the request; progress and outcome are written to the database.
"""

import hashlib
import json
import os
import sys
import threading
from functools import partial

from google.protobuf.json_format import Parse

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError, LumenmillError
from lumenmill_common.settings import load_settings
from lumenmill_common.telemetry import configure_logging, get_logger
from lumenmill_orchestrator.exporters import Export, InProcessExports
from lumenmill_orchestrator.settings import OrchestratorSettings
from lumenmill_orchestrator.storage import (
    ExportJobStore,
    ExportStore,
    SampleStore,
    engine_url,
    make_engine,
    retry_database,
)

__all__ = ["REQUEST_VARIABLE", "error_from_json", "export_id"]

REQUEST_VARIABLE = "LUMENMILL_EXPORT_REQUEST"
"""Holds the ExportRunRequest in JSON form."""
_REPORT_EVERY_S = 1.0
_log = get_logger(__name__)


def export_id(request: run_pb2.ExportRunRequest) -> str:
    """Return the id of an export: the digest of its request."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def error_from_json(text: str) -> LumenmillError:
    """Return the error that a Job stored as JSON."""
    stored = json.loads(text)
    if stored["violations"]:
        first, *others = (tuple(violation) for violation in stored["violations"])
        return InvalidArgumentError(*first, *others)
    return FailedPreconditionError(stored["message"])


def _error_to_json(error: InvalidArgumentError | FailedPreconditionError) -> str:
    violations = error.violations if isinstance(error, InvalidArgumentError) else ()
    return json.dumps({"violations": violations, "message": error.message})


def main() -> None:
    """Export the dataset of the request. Exits with 1 when another attempt may succeed."""
    settings = load_settings(OrchestratorSettings)
    configure_logging(settings, "export")
    request = Parse(os.environ[REQUEST_VARIABLE], run_pb2.ExportRunRequest())
    engine = make_engine(engine_url(settings.database_url))
    job_id, rows = export_id(request), ExportJobStore(engine)
    try:
        exports = InProcessExports(SampleStore(engine), open_store_from(settings), ExportStore(engine))
        export = exports.prepare(request)
        result = _run(export, job_id, rows).SerializeToString()
        retry_database(partial(rows.record_result, job_id, result))
    except (InvalidArgumentError, FailedPreconditionError) as error:
        retry_database(partial(rows.record_error, job_id, _error_to_json(error)))
    except LumenmillError as error:
        _log.error("the export failed", reason=error.message)
        sys.exit(1)


def _run(export: Export, job_id: str, rows: ExportJobStore) -> run_pb2.ExportResult:
    """Run an export while a second thread reports its progress."""
    done = threading.Event()

    def report() -> None:
        while not done.wait(_REPORT_EVERY_S):
            retry_database(partial(rows.report_progress, job_id, export.progress()))

    reporting = threading.Thread(target=report, name="progress", daemon=True)
    reporting.start()
    try:
        return export.run()
    finally:
        done.set()
        reporting.join()


if __name__ == "__main__":
    main()
