"""Every query of the dashboards and alerts, with the variables of dashboards substituted."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.alerts import ALERTS
from monitoring.boards import BOARDS
from monitoring.panels import Source

__all__ = ["NamedQuery", "all_queries", "substitute"]


@dataclass(frozen=True)
class NamedQuery:
    """One query, and the panel or alert that it belongs to."""

    location: str
    expr: str
    source: Source


def substitute(expr: str, *, window: str, rate_interval: str, price: str = "2.5", everything: str = ".*") -> str:
    """Return a query of a dashboard as Grafana sends it; `window` and `rate_interval` are durations of Prometheus."""
    values = {
        "$__rate_interval": rate_interval,
        "$window": window,
        "$price_per_gpu_hour": price,
        "$namespace": everything,
        "$model": everything,
    }
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def all_queries(window: str, rate_interval: str) -> Iterator[NamedQuery]:
    """Yield the queries of all dashboards, then those of all alerts."""
    for board in BOARDS:
        for panel in board.panels:
            for query in panel.queries:
                expr = substitute(query.expr, window=window, rate_interval=rate_interval)
                yield NamedQuery(f"{board.title} / {panel.title} / {query.legend}", expr, query.source)
    for alert in ALERTS:
        yield NamedQuery(f"alert {alert.name}", alert.expr, alert.source)
