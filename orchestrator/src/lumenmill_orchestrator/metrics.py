"""Metrics of the orchestrator. Names and meanings are explained in docs/metrics.md."""

from prometheus_client import Counter, Gauge, Histogram

from lumenmill_common.telemetry import DURATION_BUCKETS_S

__all__ = [
    "ARTIFACT_BYTES",
    "BACKLOG",
    "CALLS_IN_FLIGHT",
    "CALLS_WAITING",
    "CLIP_DURATION",
    "DATABASE_BYTES",
    "DATABASE_CONNECTIONS",
    "DATABASE_DURATION",
    "DATABASE_UNAVAILABLE",
    "ENDPOINTS",
    "GARBAGE_ARTIFACTS",
    "GARBAGE_BYTES",
    "GARBAGE_COLLECTED",
    "GPU_BACKLOG",
    "RETRIES",
    "RUNS",
    "RUN_PROGRESS",
    "RUN_REMAINING",
    "SAMPLES",
    "SAMPLE_COST",
    "STEPS",
    "STEPS_REUSED",
    "STEP_DURATION",
    "WRITE_DURATION",
    "WRITE_GROUP_SIZE",
]

CALLS_WAITING = Gauge("lumenmill_orchestrator_calls_waiting", "Calls that wait for a slot at a model.", ["model"])
CALLS_IN_FLIGHT = Gauge("lumenmill_orchestrator_calls_in_flight", "Calls that were sent to a model.", ["model"])
ENDPOINTS = Gauge(
    "lumenmill_orchestrator_endpoints",
    "Addresses of a model, by whether they serve: `ready` or `not_ready`.",
    ["model", "state"],
)
BACKLOG = Gauge(
    "lumenmill_orchestrator_backlog_seconds", "Worker seconds that waiting and running calls take.", ["model"]
)
GPU_BACKLOG = Gauge(
    "lumenmill_orchestrator_gpu_backlog_seconds", "The same, times the GPUs of one pod of the model.", ["model"]
)
STEPS = Counter(
    "lumenmill_orchestrator_steps_total",
    "Step executions that ended, by verdict and by reason of rejection or code of failure.",
    ["call", "model", "verdict", "reason"],
)
STEPS_REUSED = Counter(
    "lumenmill_orchestrator_steps_reused_total",
    "Step executions with the result of an earlier one with the same content key.",
    ["call", "model"],
)
STEP_DURATION = Histogram(
    "lumenmill_orchestrator_step_duration_seconds",
    "Seconds that a model worked on a computed step execution.",
    ["call", "model"],
    buckets=DURATION_BUCKETS_S,
)
CLIP_DURATION = Histogram(
    "lumenmill_orchestrator_clip_duration_seconds",
    "Seconds that a model worked on one computed clip.",
    ["model", "preset"],
    buckets=DURATION_BUCKETS_S,
)
RETRIES = Counter(
    "lumenmill_orchestrator_call_failures_total", "Attempts of calls that failed, by gRPC status.", ["model", "code"]
)
ARTIFACT_BYTES = Counter(
    "lumenmill_orchestrator_artifact_bytes_total", "Bytes of the artifacts of computed steps.", ["call", "model"]
)
SAMPLES = Counter(
    "lumenmill_orchestrator_samples_total", "Samples that ended, by kind and verdict.", ["kind", "verdict"]
)
for _kind in ("image", "clip"):
    for _verdict in ("accepted", "rejected", "failed", "skipped"):
        SAMPLES.labels(_kind, _verdict)  # exist from the start, so that the first one is an increase
RUNS = Gauge("lumenmill_orchestrator_runs", "Runs that have not ended, by state.", ["state"])
RUN_PROGRESS = Gauge(
    "lumenmill_orchestrator_run_progress_ratio",
    "Share of a run's planned executions that have ended.",
    ["run", "recipe"],
)
RUN_REMAINING = Gauge(
    "lumenmill_orchestrator_run_remaining_seconds", "Estimated seconds until a run has ended.", ["run", "recipe"]
)
SAMPLE_COST = Counter(
    "lumenmill_orchestrator_sample_model_seconds_total",
    "Seconds that models worked for samples, by verdict and reason.",
    ["model", "verdict", "reason"],
)
_DATABASE_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DATABASE_DURATION = Histogram(
    "lumenmill_orchestrator_database_duration_seconds",
    "Seconds of one database statement, by kind.",
    ["statement"],
    buckets=_DATABASE_BUCKETS_S,
)
DATABASE_UNAVAILABLE = Counter(
    "lumenmill_orchestrator_database_unavailable_total", "Times that the database did not answer."
)
DATABASE_CONNECTIONS = Gauge(
    "lumenmill_orchestrator_database_connections", "Connections of the pool, by state.", ["state"]
)
DATABASE_BYTES = Gauge("lumenmill_orchestrator_database_bytes", "Size of the database.")
WRITE_DURATION = Histogram(
    "lumenmill_orchestrator_write_duration_seconds",
    "Seconds of one transaction of the group writer.",
    buckets=_DATABASE_BUCKETS_S,
)
WRITE_GROUP_SIZE = Histogram(
    "lumenmill_orchestrator_write_group_size",
    "Callers whose rows were committed in one transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
GARBAGE_ARTIFACTS = Counter(
    "lumenmill_orchestrator_garbage_artifacts_total", "Artifacts that the collector examined and removed.", ["what"]
)
for _what in ("examined", "removed"):
    GARBAGE_ARTIFACTS.labels(_what)
GARBAGE_BYTES = Counter("lumenmill_orchestrator_garbage_freed_bytes_total", "Bytes that the collector freed.")
GARBAGE_COLLECTED = Gauge(
    "lumenmill_orchestrator_garbage_collected_timestamp_seconds", "Unix time of the last complete collection."
)
