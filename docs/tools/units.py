"""Formats values with their units, as Grafana does."""

from collections.abc import Callable

__all__ = ["format_value"]

_SECONDS = ((86_400 * 7, "week"), (86_400, "day"), (3600, "hour"), (60, "min"), (1, "s"))
_SMALL = ((1e-3, "ms"), (1e-6, "µs"))
_DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_RATES = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"))
_SUFFIXES = {"ops": " ops/s", "reqps": " req/s", "watt": " W"}


def format_value(value: float, unit: str) -> str:
    """Return a value with its unit, rounded to about three digits."""
    formatter = _FORMATTERS.get(unit)
    return formatter(value) if formatter else _scaled(value, _DECIMAL, _SUFFIXES.get(unit, ""))


def _duration(value_s: float) -> str:
    for size_s, name in (*_SECONDS, *_SMALL):
        if abs(value_s) >= size_s:
            number = value_s / size_s
            plural = "s" if name in ("week", "day", "hour", "min") and _digits(number) != "1" else ""
            return f"{_digits(number)} {name}{plural}"
    return "0 s"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], plain: str) -> str:
    for size, name in steps:
        if abs(value) >= size:
            return f"{_digits(value / size)} {name}"
    return f"{_digits(value)}{plain}"


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    magnitude = abs(value)
    decimals = 0 if magnitude >= 100 else 1 if magnitude >= 10 else 2 if magnitude >= 0.1 else 3
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_FORMATTERS: dict[str, Callable[[float], str]] = {
    "s": _duration,
    "m": lambda value: _duration(value * 60),
    "percentunit": lambda value: f"{_digits(value * 100)}%",
    "bytes": lambda value: _scaled(value, _BINARY, " B"),
    "mbytes": lambda value: _scaled(value * (1 << 20), _BINARY, " B"),
    "Bps": lambda value: _scaled(value, _RATES, " B/s"),
    "currencyUSD": lambda value: f"${_digits(value)}",
}
