"""PromQL that several dashboards need."""

__all__ = ["mean", "per_accepted", "quantile", "rate"]

_RATE = "$__rate_interval"


def rate(metric: str, matchers: str, by: str, window: str = _RATE) -> str:
    """How fast a counter grows, summed by labels: per second."""
    return f"sum by ({by}) (rate({metric}{{{matchers}}}[{window}]))"


def quantile(share: float, histogram: str, matchers: str, by: str, window: str = _RATE) -> str:
    """Below which value lies a share of what a histogram saw."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', matchers, f'le, {by}' if by else 'le', window)})"


def mean(histogram: str, matchers: str, by: str, window: str = _RATE) -> str:
    """The mean of what a histogram saw."""
    total, count = (rate(f"{histogram}_{part}", matchers, by, window) for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def per_accepted(expr: str, matchers: str, window: str) -> str:
    """Something per second, of each series, by accepted sample."""
    accepted = f'sum(rate(lumenmill_orchestrator_samples_total{{{matchers}, verdict="accepted"}}[{window}]))'
    return f"({expr}) / scalar({accepted} > 0)"
