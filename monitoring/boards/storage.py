"""The artifact store, the database and garbage collection."""

from monitoring.panels import Board, Kind, Panel, Query, Row
from monitoring.promql import mean, quantile, rate
from monitoring.variables import IN_NAMESPACE, template_variables

__all__ = ["STORAGE"]

_STORE = "lumenmill_store_operation_duration_seconds"
# Statuses that are the store's fault, not the caller's.
_BAD = 'outcome!~"OK|NOT_FOUND|INVALID_ARGUMENT"'
_DATABASE = "lumenmill_orchestrator_database_duration_seconds"

_ARTIFACTS = Row(
    "Artifact store",
    [
        Panel(
            "Operations per second",
            "Operations of all services on the store, by kind.",
            "ops",
            [Query(rate(f"{_STORE}_count", IN_NAMESPACE, "operation"), "{{operation}}")],
            Kind.STACK,
        ),
        Panel(
            "Duration of an operation",
            "95th percentile of the duration of each kind. Reads and writes transfer whole artifacts, so clips take "
            "longer.",
            "s",
            [Query(quantile(0.95, _STORE, IN_NAMESPACE, "operation"), "{{operation}}")],
            is_log=True,
        ),
        Panel(
            "Failed operations, per minute",
            "Operations that failed because the store was unavailable, full, refused access or returned damaged bytes. "
            "0 is healthy.",
            "short",
            [
                Query(
                    f"{rate(f'{_STORE}_count', f'{IN_NAMESPACE}, {_BAD}', 'operation, outcome')} * 60",
                    "{{operation}} {{outcome}}",
                )
            ],
            empty="nothing failed",
        ),
        Panel(
            "Bytes per second",
            "Bytes read from the store and written to it.",
            "Bps",
            [Query(rate("lumenmill_store_bytes_total", IN_NAMESPACE, "direction"), "{{direction}}")],
        ),
        Panel(
            "New artifacts by call",
            "Bytes per second of the artifacts that computed steps produced.",
            "Bps",
            [Query(rate("lumenmill_orchestrator_artifact_bytes_total", IN_NAMESPACE, "call"), "{{call}}")],
            Kind.STACK,
        ),
        Panel(
            "Free space",
            "Free bytes of the file system of the artifacts. Only for stores in a folder; S3 does not report it.",
            "bytes",
            [Query(f"min by (kind) (lumenmill_store_free_bytes{{{IN_NAMESPACE}}})", "{{kind}}")],
            Kind.NUMBER,
            thresholds=[("red", 0), ("orange", 20e9), ("green", 100e9)],
            empty="the store is in S3",
        ),
    ],
)

_ROWS = Row(
    "Database",
    [
        Panel(
            "Statements per second",
            "Statements of the orchestrator by kind, without those of the durable engine.",
            "ops",
            [Query(rate(f"{_DATABASE}_count", IN_NAMESPACE, "statement"), "{{statement}}")],
            Kind.STACK,
        ),
        Panel(
            "Duration of a statement",
            "95th percentile of the duration of each kind.",
            "s",
            [Query(quantile(0.95, _DATABASE, IN_NAMESPACE, "statement"), "{{statement}} p95")],
            is_log=True,
            thresholds=[("red", 0.5)],
        ),
        Panel(
            "Duration of a group's transaction",
            "Seconds of one transaction that makes finished steps durable: median and 95th percentile.",
            "s",
            [
                Query(quantile(0.5, "lumenmill_orchestrator_write_duration_seconds", IN_NAMESPACE, ""), "p50"),
                Query(quantile(0.95, "lumenmill_orchestrator_write_duration_seconds", IN_NAMESPACE, ""), "p95"),
            ],
            thresholds=[("red", 0.5)],
        ),
        Panel(
            "Steps in one transaction",
            "Mean number of steps and items that one transaction made durable. It grows with load, up to 512: then "
            "the database is the limit.",
            "short",
            [Query(mean("lumenmill_orchestrator_write_group_size", IN_NAMESPACE, "namespace"), "{{namespace}}")],
            thresholds=[("orange", 256)],
        ),
        Panel(
            "Connections",
            "Connections of the pools of all replicas. Each pool has at most 26.",
            "short",
            [Query(f"sum by (state) (lumenmill_orchestrator_database_connections{{{IN_NAMESPACE}}})", "{{state}}")],
            Kind.STACK,
        ),
        Panel(
            "Database unavailable, per minute",
            "Times per minute that the database did not answer; each is retried for a minute. 0 is healthy.",
            "short",
            [
                Query(
                    f"{rate('lumenmill_orchestrator_database_unavailable_total', IN_NAMESPACE, 'namespace')} * 60",
                    "{{namespace}}",
                )
            ],
            thresholds=[("red", 1)],
        ),
        Panel(
            "Size of the database",
            "Bytes, without write-ahead logs.",
            "bytes",
            [Query(f"max by (namespace) (lumenmill_orchestrator_database_bytes{{{IN_NAMESPACE}}})", "{{namespace}}")],
        ),
        Panel(
            "Garbage collection, artifacts per hour",
            "Artifacts that were examined and removed, per hour. 0 between collections.",
            "short",
            [
                Query(
                    f"sum by (what) (increase(lumenmill_orchestrator_garbage_artifacts_total{{{IN_NAMESPACE}}}[1h]))",
                    "{{what}}",
                )
            ],
        ),
        Panel(
            "Bytes freed",
            "Bytes that garbage collection freed in the last day.",
            "bytes",
            [Query(f"sum(increase(lumenmill_orchestrator_garbage_freed_bytes_total{{{IN_NAMESPACE}}}[1d]))", "freed")],
            Kind.NUMBER,
            width=4,
        ),
        Panel(
            "Last collected",
            "Time since garbage collection last completed, since the orchestrator's start.",
            "s",
            [
                Query(
                    f"time() - (max(lumenmill_orchestrator_garbage_collected_timestamp_seconds{{{IN_NAMESPACE}}}) > 0)",
                    "ago",
                )
            ],
            Kind.NUMBER,
            width=4,
            thresholds=[("green", 0), ("orange", 2 * 86_400), ("red", 7 * 86_400)],
            empty="not since the start",
        ),
    ],
)

STORAGE = Board(
    "lumenmill-storage",
    "Lumenmill / Storage and database",
    "The artifact store, the database and garbage collection.",
    [_ARTIFACTS, _ROWS],
    template_variables(has_models=False),
)
