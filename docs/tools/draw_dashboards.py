"""Draws the pictures of docs/monitoring.md without Grafana, from the dashboards and the data of a Prometheus.

`python -m docs.tools.draw_dashboards docs/images` runs the rehearsal on this machine and writes the pictures.
"""

import argparse
import json
import shutil
import tempfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from docs.tools.panel_drawings import PALETTE, TEXT, WEAK, draw_bars, draw_lines, draw_number
from monitoring.prometheus import Series
from monitoring.queries import substitute
from monitoring.rehearsal import ROOT, Rehearsal, run_rehearsal

__all__ = ["draw", "main"]

_DASHBOARDS = ROOT / "helm" / "lumenmill" / "files" / "dashboards"
_WIDTH_IN, _UNIT_IN, _GAP_IN, _HEAD_IN, _DPI = 16.0, 0.34, 0.07, 0.75, 100
_PAGE, _CARD, _EDGE = "#111217", "#181b1f", "#2a2d33"
_WINDOW, _RATE_INTERVAL, _NUM_STEPS = "1m", "15s", 150
# Oldest last value of a series that an instant query still returns.
_LATEST_S = 15.0
# Few enough for small files, enough for smooth lines and letters.
_NUM_COLOURS = 128
_DRAWN = {"timeseries": draw_lines, "stat": draw_number, "bargauge": draw_bars}


def draw(uid: str, rehearsal: Rehearsal, picture: Path) -> None:
    """Draw a dashboard of the chart over the whole time of a rehearsal into a PNG file. `uid` is the dashboard's."""
    board = json.loads((_DASHBOARDS / f"{uid.removeprefix('lumenmill-')}.json").read_text())
    num_units = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    height_in = _HEAD_IN + num_units * _UNIT_IN + _GAP_IN
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "text.color": TEXT, "axes.prop_cycle": PALETTE}):
        figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=_DPI, facecolor=_PAGE)
        canvas = figure.add_axes((0, 0, 1, 1))
        canvas.set_xlim(0, _WIDTH_IN)
        canvas.set_ylim(height_in, 0)
        canvas.axis("off")
        _head(canvas, board, rehearsal)
        for panel in board["panels"]:
            _panel(figure, canvas, panel, rehearsal)
        drawn = BytesIO()
        figure.savefig(drawn, facecolor=_PAGE)
    Image.open(drawn).convert("RGB").quantize(_NUM_COLOURS).save(picture, optimize=True)


def _head(canvas: Axes, board: dict[str, Any], rehearsal: Rehearsal) -> None:
    canvas.text(0.2, 0.24, board["title"], size=14, weight="bold", va="center")
    times = [datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S") for at_s in (rehearsal.start_s, rehearsal.end_s)]
    canvas.text(_WIDTH_IN - 0.2, 0.24, f"{times[0]} – {times[1]} UTC", size=9, va="center", ha="right", color=WEAK)
    values = {"window": _WINDOW, "price_per_gpu_hour": "2.5", "datasource": "Prometheus"}
    left = 0.2
    for variable in board["templating"]["list"]:
        text = f"{variable['label']}: {values.get(variable['name'], 'All')}"
        canvas.text(left, 0.54, text, size=8.5, va="center", color=WEAK)
        left += 0.25 + 0.078 * len(text)


def _panel(figure: Figure, canvas: Axes, panel: dict[str, Any], rehearsal: Rehearsal) -> None:
    position = panel["gridPos"]
    unit_in = (_WIDTH_IN - _GAP_IN) / 24
    left, top = _GAP_IN + position["x"] * unit_in, _HEAD_IN + position["y"] * _UNIT_IN
    width, height = position["w"] * unit_in - _GAP_IN, position["h"] * _UNIT_IN - _GAP_IN
    if panel["type"] == "row":
        canvas.text(left + 0.05, top + height / 2, f"▾  {panel['title']}", size=10, weight="bold", va="center")
        return
    card = FancyBboxPatch((left, top), width, height, boxstyle="round,pad=0,rounding_size=0.04", fc=_CARD, ec=_EDGE)
    canvas.add_patch(card)
    canvas.text(left + 0.1, top + 0.17, panel["title"], size=9, va="center")
    series = _series(panel, rehearsal)
    if not series:
        empty = panel["fieldConfig"]["defaults"]["noValue"]
        canvas.text(left + width / 2, top + height / 2, empty, size=10, ha="center", va="center", color=WEAK)
        return
    figure_height = figure.get_figheight()
    inner = (
        (left + 0.1) / _WIDTH_IN,
        1 - (top + height - 0.06) / figure_height,
        (width - 0.2) / _WIDTH_IN,
        (height - 0.38) / figure_height,
    )
    _DRAWN[panel["type"]](figure, inner, panel, series, (rehearsal.start_s, rehearsal.end_s))


def _series(panel: dict[str, Any], rehearsal: Rehearsal) -> list[tuple[str, Series]]:
    """Return (legend, data) of every series of a panel."""
    found: list[tuple[str, Series]] = []
    oldest_s = rehearsal.end_s - _LATEST_S
    step_s = (rehearsal.end_s - rehearsal.start_s) / _NUM_STEPS
    for target in panel["targets"]:
        expr = substitute(target["expr"], window=_WINDOW, rate_interval=_RATE_INTERVAL)
        for series in rehearsal.prometheus.query_range(expr, rehearsal.start_s, rehearsal.end_s, step_s):
            if target.get("instant") and series.points[-1][0] < oldest_s:
                continue
            name = target["legendFormat"]
            for label, value in series.labels.items():
                name = name.replace(f"{{{{{label}}}}}", value)
            found.append((_without_gaps(name), series))
    return found


def _without_gaps(name: str) -> str:
    """Remove the placeholders of labels that a series lacks, as Grafana does."""
    while "{{" in name and "}}" in name:
        name = name[: name.index("{{")] + name[name.index("}}") + 2 :]
    return " ".join(name.split()) or "—"


def main() -> None:
    """Run the rehearsal and draw every dashboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("to", type=Path, help="Folder for the pictures.")
    arguments = parser.parse_args()
    binary = shutil.which("prometheus")
    if binary is None:
        parser.error("prometheus is not on the path (Debian: package prometheus)")
    with (
        tempfile.TemporaryDirectory(prefix="lumenmill-") as folder,
        run_rehearsal(Path(folder), binary, num_groups=1, num_rounds=6, num_pictures=6) as rehearsal,
    ):
        for path in sorted(_DASHBOARDS.glob("*.json")):
            draw(path.stem, rehearsal, arguments.to / f"monitoring-{path.stem}.png")


if __name__ == "__main__":
    main()
