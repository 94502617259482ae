"""PromQL expressions that several dashboards share."""

__all__ = ["mean", "per_accepted", "quantile", "rate"]

_RATE = "$__rate_interval"


def rate(metric: str, matchers: str, by: str, window: str = _RATE) -> str:
    """Return the increase of a counter per second, summed by labels."""
    return f"sum by ({by}) (rate({metric}{{{matchers}}}[{window}]))"


def quantile(share: float, histogram: str, matchers: str, by: str, window: str = _RATE) -> str:
    """Return a quantile of the observations of a histogram."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', matchers, f'le, {by}' if by else 'le', window)})"


def mean(histogram: str, matchers: str, by: str, window: str = _RATE) -> str:
    """Return the mean of the observations of a histogram."""
    total, count = (rate(f"{histogram}_{part}", matchers, by, window) for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def per_accepted(expr: str, matchers: str, window: str) -> str:
    """Return a rate per second of each series, divided by the accepted samples per second."""
    accepted = f'sum(rate(lumenmill_orchestrator_samples_total{{{matchers}, verdict="accepted"}}[{window}]))'
    return f"({expr}) / scalar({accepted} > 0)"
