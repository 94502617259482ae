"""One export in a process of its own: `python -m lumenmill_orchestrator.export_job`, in a Job of Kubernetes.

What is asked for is in LUMENMILL_EXPORT_REQUEST; how far it is, and what came out, is told in the database.
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
from lumenmill_orchestrator.storage import ExportJobStore, ExportStore, SampleStore, engine_url, make_engine, patiently

__all__ = ["REQUEST_VARIABLE", "error_from_json", "export_id"]

REQUEST_VARIABLE = "LUMENMILL_EXPORT_REQUEST"
"""Holds the ExportRunRequest in JSON form."""
_TELL_EVERY_S = 1.0
_log = get_logger(__name__)


def export_id(request: run_pb2.ExportRunRequest) -> str:
    """The identity of an export: the digest of its request."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()


def error_from_json(text: str) -> LumenmillError:
    """The error that a Job told in its row."""
    told = json.loads(text)
    if told["violations"]:
        first, *others = (tuple(violation) for violation in told["violations"])
        return InvalidArgumentError(*first, *others)
    return FailedPreconditionError(told["message"])


def _telling(error: InvalidArgumentError | FailedPreconditionError) -> str:
    violations = error.violations if isinstance(error, InvalidArgumentError) else ()
    return json.dumps({"violations": violations, "message": error.message})


def main() -> None:
    """Settings → exporter → dataset. Exits with 1 where another attempt may succeed."""
    settings = load_settings(OrchestratorSettings)
    configure_logging(settings, "export")
    request = Parse(os.environ[REQUEST_VARIABLE], run_pb2.ExportRunRequest())
    engine = make_engine(engine_url(settings.database_url))
    exporters = InProcessExports(SampleStore(engine), open_store_from(settings), ExportStore(engine))
    job_id, rows = export_id(request), ExportJobStore(engine)
    try:
        work = exporters.prepared(request)
        result = _run(work, job_id, rows).SerializeToString()
        patiently(partial(rows.record_result, job_id, result))
    except (InvalidArgumentError, FailedPreconditionError) as error:
        patiently(partial(rows.record_error, job_id, _telling(error)))
    except LumenmillError as error:
        _log.error("the export has failed", reason=error.message)
        sys.exit(1)


def _run(work: Export, job_id: str, rows: ExportJobStore) -> run_pb2.ExportResult:
    """Run an export while a second thread tells how far it is."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_TELL_EVERY_S):
            patiently(partial(rows.report_progress, job_id, work.progress()))

    telling = threading.Thread(target=tell, name="progress", daemon=True)
    telling.start()
    try:
        return work.run()
    finally:
        done.set()
        telling.join()


if __name__ == "__main__":
    main()
