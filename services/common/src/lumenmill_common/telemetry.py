"""Logs, metrics and trace context of every service. docs/metrics.md explains the metrics."""

import contextlib
import logging
import sys
from typing import TextIO

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from lumenmill_common.settings import LogFormat, ServiceSettings

__all__ = [
    "CERTIFICATE_EXPIRY",
    "DECODING_PROCESSES_KILLED",
    "DURATION_BUCKETS_S",
    "JOBS_QUEUED",
    "JOBS_REATTACHED",
    "JOBS_RUNNING",
    "JOB_BATCH_SIZE",
    "JOB_DURATION",
    "JOB_STAGE_DURATION",
    "JOB_WAIT",
    "MODEL_GPUS",
    "MODEL_LOAD_DURATION",
    "RPC_DURATION",
    "STORE_BYTES",
    "STORE_FREE_BYTES",
    "STORE_OPERATION_DURATION",
    "UNAUTHENTICATED_CALLS",
    "configure_logging",
    "extract_trace_context",
    "get_logger",
    "inject_trace_context",
    "serve_metrics",
]

# From milliseconds to a clip of one hour; the default buckets of the library end at 10 s.
DURATION_BUCKETS_S = (
    0.005,
    0.025,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    20,
    30,
    60,
    120,
    240,
    480,
    900,
    1200,
    1800,
    2700,
    3600,
)

RPC_DURATION = Histogram(
    "lumenmill_rpc_duration_seconds", "Seconds of an RPC at the server, by method and status.", ["method", "code"],
    buckets=DURATION_BUCKETS_S,
)  # fmt: skip
UNAUTHENTICATED_CALLS = Counter(
    "lumenmill_unauthenticated_calls_total",
    "Calls that were refused before their RPC was looked up, by status: UNAUTHENTICATED without a valid token.",
    ["code"],
)
JOBS_QUEUED = Gauge("lumenmill_jobs_queued", "Jobs that wait for a worker.", ["queue"])
JOBS_RUNNING = Gauge("lumenmill_jobs_running", "Jobs that a worker is computing.", ["queue"])
JOBS_REATTACHED = Counter(
    "lumenmill_jobs_reattached_total",
    "Calls that re-attached to a known job, or found its persisted result.",
    ["queue"],
)
JOB_WAIT = Histogram(
    "lumenmill_job_wait_seconds", "Seconds that a job waited for a worker.", ["queue"], buckets=DURATION_BUCKETS_S
)
JOB_DURATION = Histogram(
    "lumenmill_job_duration_seconds", "Seconds that a worker took for a job, by request and outcome.",
    ["queue", "request", "outcome"], buckets=DURATION_BUCKETS_S,
)  # fmt: skip
JOB_STAGE_DURATION = Histogram(
    "lumenmill_job_stage_duration_seconds", "Seconds of one stage of a job.", ["queue", "stage"],
    buckets=DURATION_BUCKETS_S,
)  # fmt: skip
JOB_BATCH_SIZE = Histogram(
    "lumenmill_job_batch_size", "Jobs that a worker computed as one batch.", ["queue"], buckets=(1, 2, 4, 8, 16, 32, 64)
)
MODEL_LOAD_DURATION = Gauge("lumenmill_model_load_duration_seconds", "Seconds that loading the model took.")
MODEL_GPUS = Gauge("lumenmill_model_gpus", "GPUs that this process uses.")
STORE_OPERATION_DURATION = Histogram(
    "lumenmill_store_operation_duration_seconds", "Seconds of one operation of the artifact store, by outcome.",
    ["operation", "outcome"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
STORE_BYTES = Counter(
    "lumenmill_store_bytes_total", "Bytes read from and written to the artifact store.", ["direction"]
)
STORE_FREE_BYTES = Gauge("lumenmill_store_free_bytes", "Free bytes of the file system of the artifacts.", ["kind"])
CERTIFICATE_EXPIRY = Gauge(
    "lumenmill_certificate_expiry_timestamp_seconds", "Unix time at which a certificate expires.", ["certificate"]
)
DECODING_PROCESSES_KILLED = Counter(
    "lumenmill_decoding_processes_killed_total", "Processes that decode files and were killed, by reason.", ["reason"]
)
for _reason in ("cancelled", "crash", "error", "memory", "time"):
    DECODING_PROCESSES_KILLED.labels(_reason)

get_logger = structlog.get_logger


class _LogFile:
    """A file whose lines are lost while they cannot be written: no call may end with the error of its log."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


def configure_logging(settings: ServiceSettings, service: str) -> None:
    """Write structured logs to standard error, one line each, with the request id and trace id of their call.

    Lines are lost while standard error cannot be written, as to a file on a full disk.
    """
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace_id,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.PrintLoggerFactory(_LogFile(sys.stderr)),  # type: ignore[arg-type]  # a part of TextIO
    )
    structlog.contextvars.bind_contextvars(service=service)


def _add_trace_id(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
    return event


def extract_trace_context(metadata: dict[str, str]) -> Context:
    """Return the W3C trace context that a caller sent."""
    return propagate.extract(metadata)


def inject_trace_context() -> list[tuple[str, str]]:
    """Return metadata that propagates the current trace context."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return list(carrier.items())


def serve_metrics(address: str) -> int | None:
    """Serve Prometheus metrics on `host:port`; return the bound port, or None when `address` is empty."""
    if not address:
        return None
    host, _, port = address.rpartition(":")
    server, _ = start_http_server(int(port), host)
    return int(server.server_port)
