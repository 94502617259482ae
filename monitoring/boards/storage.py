"""The artifact store, the database, and the collector of garbage."""

from monitoring.panels import Board, Kind, Panel, Query, Row
from monitoring.promql import mean, quantile, rate
from monitoring.variables import THERE, chosen

__all__ = ["STORAGE"]

_STORE = "lumenmill_store_operation_duration_seconds"
# What callers ask in vain is no trouble of the store.
_BAD = 'outcome!~"OK|NOT_FOUND|INVALID_ARGUMENT"'
_DATABASE = "lumenmill_orchestrator_database_duration_seconds"

_ARTIFACTS = Row(
    "Artifact store",
    [
        Panel(
            "Operations per second",
            "What all services together ask of the store.",
            "ops",
            [Query(rate(f"{_STORE}_count", THERE, "operation"), "{{operation}}")],
            Kind.STACK,
        ),
        Panel(
            "Time of an operation",
            "Below which 95 % of the operations of each kind lie. Reads and writes are of whole artifacts: clips take "
            "long.",
            "s",
            [Query(quantile(0.95, _STORE, THERE, "operation"), "{{operation}}")],
            is_log=True,
        ),
        Panel(
            "Operations that failed, per minute",
            "Those that the store itself failed: away, full, access refused, bytes damaged. None is usual.",
            "short",
            [
                Query(
                    f"{rate(f'{_STORE}_count', f'{THERE}, {_BAD}', 'operation, outcome')} * 60",
                    "{{operation}} {{outcome}}",
                )
            ],
            empty="nothing failed",
        ),
        Panel(
            "Bytes per second",
            "Bytes read from the store, and given to it.",
            "Bps",
            [Query(rate("lumenmill_store_bytes_total", THERE, "direction"), "{{direction}}")],
        ),
        Panel(
            "New artifacts by call",
            "Bytes per second of the artifacts that computed nodes made.",
            "Bps",
            [Query(rate("lumenmill_orchestrator_artifact_bytes_total", THERE, "call"), "{{call}}")],
            Kind.STACK,
        ),
        Panel(
            "Free room",
            "Bytes that are free where the artifacts lie. Of stores in a folder only; S3 does not tell.",
            "bytes",
            [Query(f"min by (kind) (lumenmill_store_free_bytes{{{THERE}}})", "{{kind}}")],
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
            "Statements of the orchestrator by kind; those of the durable engine are not among them.",
            "ops",
            [Query(rate(f"{_DATABASE}_count", THERE, "statement"), "{{statement}}")],
            Kind.STACK,
        ),
        Panel(
            "Time of a statement",
            "Below which 95 % of the statements of each kind lie.",
            "s",
            [Query(quantile(0.95, _DATABASE, THERE, "statement"), "{{statement}} p95")],
            is_log=True,
            thresholds=[("red", 0.5)],
        ),
        Panel(
            "Time of a group's transaction",
            "Seconds until ended nodes are durable, once it is their turn: half and 95 % took less.",
            "s",
            [
                Query(quantile(0.5, "lumenmill_orchestrator_write_duration_seconds", THERE, ""), "p50"),
                Query(quantile(0.95, "lumenmill_orchestrator_write_duration_seconds", THERE, ""), "p95"),
            ],
            thresholds=[("red", 0.5)],
        ),
        Panel(
            "Nodes in one transaction",
            "Mean number of nodes and items that one transaction made durable. It grows with load, up to 512: then "
            "the database is the limit.",
            "short",
            [Query(mean("lumenmill_orchestrator_write_group_size", THERE, "namespace"), "{{namespace}}")],
            thresholds=[("orange", 256)],
        ),
        Panel(
            "Connections",
            "Connections of the pools, over all replicas. Each has at most 26.",
            "short",
            [Query(f"sum by (state) (lumenmill_orchestrator_database_connections{{{THERE}}})", "{{state}}")],
            Kind.STACK,
        ),
        Panel(
            "Database away, per minute",
            "Times per minute that the database did not answer; each is tried again for a minute. 0 is healthy.",
            "short",
            [Query(f"{rate('lumenmill_orchestrator_database_away_total', THERE, 'namespace')} * 60", "{{namespace}}")],
            thresholds=[("red", 1)],
        ),
        Panel(
            "Size of the database",
            "Bytes, write-ahead logs not counted.",
            "bytes",
            [Query(f"max by (namespace) (lumenmill_orchestrator_database_bytes{{{THERE}}})", "{{namespace}}")],
        ),
        Panel(
            "Garbage collection, artifacts per hour",
            "Artifacts that were looked at and removed, per hour. 0 between collections.",
            "short",
            [
                Query(
                    f"sum by (what) (increase(lumenmill_orchestrator_garbage_artifacts_total{{{THERE}}}[1h]))",
                    "{{what}}",
                )
            ],
        ),
        Panel(
            "Bytes freed",
            "Bytes that garbage collection freed in the last day.",
            "bytes",
            [Query(f"sum(increase(lumenmill_orchestrator_garbage_freed_bytes_total{{{THERE}}}[1d]))", "freed")],
            Kind.NUMBER,
            width=4,
        ),
        Panel(
            "Last collected",
            "Time since garbage was last collected to the end, since the orchestrator's start.",
            "s",
            [
                Query(
                    f"time() - (max(lumenmill_orchestrator_garbage_collected_timestamp_seconds{{{THERE}}}) > 0)", "ago"
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
    "The artifact store, the database and the collector of garbage.",
    [_ARTIFACTS, _ROWS],
    chosen(has_models=False),
)
