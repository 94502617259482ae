"""Draws the contents of panels: lines, stacks, numbers and bars, in Grafana's colours."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from docs.tools.units import format_value
from monitoring.prometheus import Series

__all__ = ["PALETTE", "TEXT", "WEAK", "draw_bars", "draw_lines", "draw_number"]

TEXT, WEAK = "#ccccdc", "#8e8fa0"
_GRID = "#2a2d33"
_COLOURS = [
    "#73bf69",
    "#f2cc0c",
    "#5794f2",
    "#ff9830",
    "#f2495c",
    "#b877d9",
    "#37872d",
    "#fade2a",
    "#8ab8ff",
    "#ffa6b0",
]
PALETTE = cycler(color=_COLOURS)
_STEPS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
_MOST_NAMED, _NAME_IN = 6, 0.165

_Named = list[tuple[str, Series]]
_Box = tuple[float, float, float, float]
_Span = tuple[float, float]
"""First and last time that is drawn, in Unix seconds."""


def draw_lines(figure: Figure, box: _Box, panel: dict[str, Any], named: _Named, span_s: _Span) -> None:
    """Draw lines over time with a legend of the last and the largest value of each."""
    named = sorted(named, key=lambda entry: -max(value for _, value in entry[1].points))
    unit = panel["fieldConfig"]["defaults"]["unit"]
    num_rows = min(len(named), _MOST_NAMED) + (len(named) > _MOST_NAMED)
    legend = (num_rows * _NAME_IN + 0.1) / figure.get_figheight()
    margin = 0.58 / figure.get_figwidth()
    axes = figure.add_axes(
        (
            box[0] + margin,
            box[1] + legend + 0.2 / figure.get_figheight(),
            box[2] - margin,
            box[3] - legend - 0.2 / figure.get_figheight(),
        )
    )
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    if custom.get("stacking", {}).get("mode") == "normal":
        _stack(axes, named)
    else:
        for index, (_, series) in enumerate(named):
            times, values = _points(series)
            axes.plot(
                times,
                values,
                lw=1.4,
                color=_colour(index),
                solid_capstyle="round",
                marker="." if len(values) == 1 else "",
            )
    axes.set_xlim(_time(span_s[0]), _time(span_s[1]))
    _style_axes(axes, panel, unit)
    _legend(figure, box, legend, named, unit)


def _points(series: Series) -> tuple[list[float], list[float]]:
    """Return the times in matplotlib's unit, days, and the values."""
    return [_time(at_s) for at_s, _ in series.points], [value for _, value in series.points]


def _time(at_s: float) -> float:
    return float(date2num(datetime.fromtimestamp(at_s, UTC)))  # type: ignore[no-untyped-call]  # matplotlib's dates are


def _colour(index: int) -> str:
    return _COLOURS[index % len(_COLOURS)]


def _stack(axes: Axes, named: _Named) -> None:
    times_s = sorted({at_s for _, series in named for at_s, _ in series.points})
    rows = []
    for _, series in named:
        value_at = dict(series.points)
        rows.append([max(value_at.get(at_s, 0.0), 0.0) for at_s in times_s])
    times = [_time(at_s) for at_s in times_s]
    colours = [_colour(index) for index in range(len(named))]
    axes.stackplot(times, np.array(rows), colors=colours, alpha=0.75, lw=0)


def _style_axes(axes: Axes, panel: dict[str, Any], unit: str) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    axes.set_facecolor("none")
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=_GRID, lw=0.7)
    axes.tick_params(colors=WEAK, length=0, labelsize=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S", tz=UTC))  # type: ignore[no-untyped-call]
    if defaults.get("custom", {}).get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("log", nonpositive="clip")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.minorticks_off()
    else:
        top = max(axes.get_ylim()[1], 1e-9)
        axes.set_ylim(0, defaults.get("max", top) * 1.03)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, unit)))
    low, high = axes.get_ylim()
    for step in defaults["thresholds"]["steps"]:
        if step["value"] and low < step["value"] < high:
            axes.axhline(step["value"], color=_STEPS[step["color"]], lw=1, ls="--")


def _legend(figure: Figure, box: _Box, height: float, named: _Named, unit: str) -> None:
    axes = figure.add_axes((box[0], box[1], box[2], height))
    axes.axis("off")
    width_in, height_in = box[2] * figure.get_figwidth(), height * figure.get_figheight()
    axes.set_xlim(0, width_in)
    axes.set_ylim(height_in, 0)
    for row, (name, series) in enumerate(named[:_MOST_NAMED]):
        y = 0.1 + row * _NAME_IN
        axes.plot([0.02, 0.18], [y, y], color=_colour(row), lw=2.4, solid_capstyle="round")
        max_length = int((width_in - 2.1) / 0.068)
        axes.text(0.25, y, name if len(name) <= max_length else f"{name[: max_length - 1]}…", size=7.5, va="center")
        values = [value for _, value in series.points]
        for x, label, value in ((width_in - 1.0, "last", values[-1]), (width_in, "max", max(values))):
            axes.text(x, y, f"{label} {format_value(value, unit)}", size=7.5, va="center", ha="right", color=WEAK)
    if len(named) > _MOST_NAMED:
        y = 0.1 + _MOST_NAMED * _NAME_IN
        axes.text(0.25, y, f"and {len(named) - _MOST_NAMED} more", size=7.5, va="center", color=WEAK)


def draw_number(figure: Figure, box: _Box, panel: dict[str, Any], named: _Named, span_s: _Span) -> None:
    """Draw the last value of each series as a large number over a sparkline."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    width = box[2] / len(named)
    for index, (name, series) in enumerate(named):
        times, values = _points(series)
        colour = _step_colour(panel, values[-1])
        spark = figure.add_axes((box[0] + index * width, box[1], width * 0.94, box[3] * 0.32))
        spark.axis("off")
        spark.fill_between(times, values, color=colour, alpha=0.18, lw=0)
        spark.plot(times, values, color=colour, lw=1.2)
        spark.set_ylim(bottom=0)
        spark.set_xlim(_time(span_s[0]), _time(span_s[1]))
        x = box[0] + (index + 0.47) * width
        size = min(24.0, 24.0 * 1.15 / (len(named) ** 0.9))
        figure.text(
            x,
            box[1] + box[3] * 0.62,
            format_value(values[-1], unit),
            size=size,
            weight="bold",
            color=colour,
            ha="center",
            va="center",
        )
        if len(named) > 1:
            figure.text(x, box[1] + box[3] * 0.88, name, size=8, color=WEAK, ha="center", va="center")


def draw_bars(figure: Figure, box: _Box, panel: dict[str, Any], named: _Named, span_s: _Span) -> None:
    """Draw the last value of each series as a bar, largest first."""
    defaults = panel["fieldConfig"]["defaults"]
    named = sorted(named, key=lambda entry: -entry[1].points[-1][1])[:8]
    largest = defaults.get("max") or max((series.points[-1][1] for _, series in named), default=0) or 1.0
    axes = figure.add_axes(box)
    axes.axis("off")
    axes.set_xlim(0, 1)
    axes.set_ylim(max(len(named), 3), 0)
    for row, (name, series) in enumerate(named):
        value = series.points[-1][1]
        colour = _step_colour(panel, value)
        axes.barh(row + 0.62, 0.78, height=0.42, left=0, color=_GRID)
        axes.barh(row + 0.62, 0.78 * max(min(value / largest, 1.0), 0.0), height=0.42, left=0, color=colour)
        axes.text(0, row + 0.22, name, size=8, va="center")
        axes.text(
            1,
            row + 0.62,
            format_value(value, defaults["unit"]),
            size=9.5,
            weight="bold",
            va="center",
            ha="right",
            color=colour,
        )


def _step_colour(panel: dict[str, Any], value: float) -> str:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return _STEPS[reached[-1]["color"]]
