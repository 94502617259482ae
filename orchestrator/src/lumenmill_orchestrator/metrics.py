"""Metrics of the orchestrator. Names and meanings are explained in docs/metrics.md."""

from lumenmill_common.telemetry import DURATION_BUCKETS_S
from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "ARTIFACT_BYTES",
    "CALLS_IN_FLIGHT",
    "CALLS_WAITING",
    "CLIP_DURATION",
    "NODES",
    "NODES_REUSED",
    "NODE_DURATION",
    "RETRIES",
    "RUNS",
    "SAMPLES",
]

CALLS_WAITING = Gauge("lumenmill_orchestrator_calls_waiting", "Calls that wait for a place at a model.", ["model"])
CALLS_IN_FLIGHT = Gauge("lumenmill_orchestrator_calls_in_flight", "Calls that a model was given.", ["model"])
NODES = Counter(
    "lumenmill_orchestrator_nodes_total",
    "Node executions that ended, by verdict and by reason of rejection or code of failure.",
    ["call", "model", "verdict", "reason"],
)
NODES_REUSED = Counter(
    "lumenmill_orchestrator_nodes_reused_total",
    "Node executions answered by an earlier one with the same content key.",
    ["call", "model"],
)
NODE_DURATION = Histogram(
    "lumenmill_orchestrator_node_duration_seconds",
    "Seconds that a model worked on a node execution that was computed.",
    ["call", "model"],
    buckets=DURATION_BUCKETS_S,
)
CLIP_DURATION = Histogram(
    "lumenmill_orchestrator_clip_duration_seconds",
    "Seconds that a model worked on one computed clip.",
    ["model"],
    buckets=DURATION_BUCKETS_S,
)
RETRIES = Counter(
    "lumenmill_orchestrator_call_failures_total", "Attempts of calls that failed, by gRPC status.", ["model", "code"]
)
ARTIFACT_BYTES = Counter(
    "lumenmill_orchestrator_artifact_bytes_total", "Bytes of the artifacts that computed nodes made.", ["call", "model"]
)
SAMPLES = Counter(
    "lumenmill_orchestrator_samples_total", "Samples that ended, by kind and verdict.", ["kind", "verdict"]
)
RUNS = Gauge("lumenmill_orchestrator_runs", "Runs that have not ended, by state.", ["state"])
