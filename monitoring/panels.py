"""Dashboards as data: panels in rows, each with queries, a unit and an explanation.

Shapes and colours are the same in all dashboards; the module of a dashboard states only what it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

__all__ = ["DATASOURCE", "Board", "Kind", "Panel", "Query", "Row", "Source", "build_dashboard"]

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
_COLUMNS = 24
_FIRST_ROW_ID = 1000


class Source(Enum):
    """Who exports the metrics of a query. All but the mesh's own need an exporter that a cluster may lack."""

    MESH = "the mesh itself"
    DCGM = "NVIDIA's DCGM exporter"
    KUBE = "kube-state-metrics"


class Kind(StrEnum):
    """How a panel shows its values."""

    LINES = "lines"
    STACK = "stack"
    """Stacked areas: parts of a whole."""
    NUMBER = "number"
    BARS = "bars"
    """The latest value of each series, largest first."""


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and the legend of its series."""

    expr: str
    legend: str
    source: Source = Source.MESH


@dataclass(frozen=True)
class Panel:
    """One panel. `empty` is the text that is shown instead of values when there are none."""

    title: str
    text: str
    unit: str
    queries: Sequence[Query]
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 8
    thresholds: Sequence[tuple[str, float]] = ()
    """(colour, value from which it applies), ascending. Below the first value the colour is green."""
    empty: str = "nothing yet"
    max_value: float | None = None
    is_log: bool = False
    is_instant: bool = False
    """Whether only the present value is queried; bars always do."""


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    text: str
    rows: Sequence[Row]
    variables: Sequence[Any] = field(default=())

    @property
    def panels(self) -> list[Panel]:
        """All panels, in order."""
        return [panel for row in self.rows for panel in row.panels]


def build_dashboard(board: Board) -> Any:
    """Return the dashboard as an object of Grafana's SDK."""
    result = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.text)
        .tags(["lumenmill"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Lumenmill")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["lumenmill"])
            .as_dropdown(True)  # noqa: FBT003 - the builder's signature
            .keep_time(True)  # noqa: FBT003
            .include_vars(True)  # noqa: FBT003
        )
    )
    for variable in board.variables:
        result.with_variable(variable)
    top = number = 0
    for index, row in enumerate(board.rows):
        result.with_row(
            dashboard.Row(row.title).id(_FIRST_ROW_ID + index).grid_pos(model.GridPos(h=1, w=_COLUMNS, x=0, y=top))
        )
        top, left, tallest = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            position = model.GridPos(h=panel.height, w=panel.width, x=left, y=top)
            result.with_panel(_panel(panel).id(number).grid_pos(position))
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest
    return result.build()


def _panel(panel: Panel) -> Any:
    built = _SHAPES[panel.kind](panel)
    built.title(panel.title).description(_description(panel)).datasource(DATASOURCE).unit(panel.unit)
    built.no_value(panel.empty).thresholds(_thresholds(panel))
    if not panel.is_log:
        built.min(0)
    if panel.max_value is not None:
        built.max(panel.max_value)
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + index))
        if panel.is_instant or panel.kind is Kind.BARS:
            target.instant()  # a range query would show ended series with their last value
        built.with_target(target.datasource(DATASOURCE))
    return built


def _description(panel: Panel) -> str:
    others = sorted({query.source.value for query in panel.queries if query.source is not Source.MESH})
    needs = f" Needs {' and '.join(others)}; empty without it." if others else ""
    return f"{panel.text}{needs}"


def _lines(panel: Panel) -> Any:
    lines = (
        timeseries.Panel()
        .line_width(2)
        .fill_opacity(8)
        .span_nulls(True)  # noqa: FBT003
        .show_points(common_model.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(common_model.LegendDisplayMode.TABLE)
            .placement(common_model.LegendPlacement.BOTTOM)
            .show_legend(True)  # noqa: FBT003
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI))
    )
    if panel.thresholds:
        lines.thresholds_style(common.GraphThresholdsStyleConfig().mode(common_model.GraphThresholdsStyleMode.DASHED))
    if panel.is_log:
        lines.scale_distribution(common.ScaleDistributionConfig().type(common_model.ScaleDistribution.LOG).log(10))
    return lines


def _stack(panel: Panel) -> Any:
    return (
        _lines(panel)
        .fill_opacity(60)
        .line_width(1)
        .stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    )


def _number(panel: Panel) -> Any:
    return (
        stat.Panel()
        .graph_mode(common_model.BigValueGraphMode.AREA)
        .color_mode(common_model.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _bars(panel: Panel) -> Any:
    return (
        bargauge.Panel()
        .orientation(common_model.VizOrientation.HORIZONTAL)
        .display_mode(common_model.BarGaugeDisplayMode.BASIC)
        .value_mode(common_model.BarGaugeValueMode.TEXT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


_SHAPES = {Kind.LINES: _lines, Kind.STACK: _stack, Kind.NUMBER: _number, Kind.BARS: _bars}


def _thresholds(panel: Panel) -> Any:
    steps = [model.Threshold(value=None, color="green")]
    steps += [model.Threshold(value=value, color=colour) for colour, value in panel.thresholds]
    if panel.kind is Kind.NUMBER and panel.thresholds and panel.thresholds[0][1] == 0:
        steps = steps[1:]  # the first colour holds from zero on
        steps[0] = model.Threshold(value=None, color=panel.thresholds[0][0])
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
