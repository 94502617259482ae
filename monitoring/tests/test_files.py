"""What the chart carries is what the code says now, panels explain themselves, and metrics that are asked for exist."""

import json
import re
from pathlib import Path

from monitoring.alerts import ALERTS, runbook_of
from monitoring.boards import BOARDS
from monitoring.output import files
from monitoring.panels import Source
from monitoring.queries import all_queries

_ROOT = Path(__file__).parents[2]
_CHART = _ROOT / "helm" / "lumenmill" / "files"


def test_the_chart_carries_the_dashboards_and_alerts_as_they_are_now() -> None:
    for name, text in files().items():
        assert (_CHART / name).read_text() == text, f"{name} is not current: run `make monitoring`"
    carried = {path.name for path in (_CHART / "dashboards").iterdir()}
    assert carried == {Path(name).name for name in files() if name.startswith("dashboards/")}


def test_every_panel_says_what_it_shows_and_what_nothing_means() -> None:
    for name, text in files().items():
        if not name.startswith("dashboards/"):
            continue
        panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        for panel in panels:
            assert len(panel["description"]) > 20 and panel["description"].endswith("."), panel["title"]
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"] and defaults["noValue"] and defaults["thresholds"]["steps"], panel["title"]
            assert all(target["legendFormat"] and target["expr"] for target in panel["targets"]), panel["title"]


def test_no_panel_lies_on_another_one_and_all_lie_on_the_grid() -> None:
    for name, text in files().items():
        if not name.startswith("dashboards/"):
            continue
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(text)["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_metric_of_the_mesh_that_is_asked_for_is_described() -> None:
    described = set(re.findall(r"^\| `(\w+)`", (_ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    for query in all_queries("1h", "1m"):
        for name in re.findall(r"lumenmill_\w+", query.expr):
            base = re.sub(r"_(sum|count|bucket)$", "", name)
            assert base in described, f"{query.place}: {name}"


def test_queries_that_need_an_exporter_of_the_cluster_are_marked() -> None:
    for query in all_queries("1h", "1m"):
        needed = Source.DCGM if "DCGM_" in query.expr else Source.KUBE if "kube_" in query.expr else Source.MESH
        assert query.source is needed, query.place


def test_every_alert_has_a_page_that_says_what_to_do() -> None:
    pages = {runbook_of(alert): alert for alert in ALERTS}
    folder = _ROOT / "docs" / "runbooks"
    assert {f"docs/runbooks/{path.name}" for path in folder.glob("*.md") if path.name != "README.md"} == set(pages)
    index = (folder / "README.md").read_text()
    assert all(f"[{alert.name}]({Path(path).name})" in index for path, alert in pages.items())
    for path, alert in pages.items():
        text = (_ROOT / path).read_text()
        assert text.startswith(f"# {alert.name}\n"), path
        for heading in ("## What it means", "## How to look", "## What to do"):
            assert heading in text, f"{path}: {heading}"


def test_the_guide_shows_every_dashboard() -> None:
    guide = (_ROOT / "docs" / "monitoring.md").read_text()
    for board in BOARDS:
        picture = f"images/monitoring-{board.uid.removeprefix('lumenmill-')}.png"
        assert f"({picture})" in guide and (_ROOT / "docs" / picture).is_file()
