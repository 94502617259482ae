"""The files of the chart are current, panels are explained, and the metrics of queries exist."""

import json
import re
from pathlib import Path

from monitoring.alerts import ALERTS, runbook_of
from monitoring.boards import BOARDS
from monitoring.output import chart_files
from monitoring.panels import Source
from monitoring.queries import all_queries

_ROOT = Path(__file__).parents[2]
_CHART = _ROOT / "helm" / "lumenmill" / "files"


def test_the_files_of_the_chart_are_current() -> None:
    for name, text in chart_files().items():
        assert (_CHART / name).read_text() == text, f"{name} is not current: run `make monitoring`"
    names = {path.name for path in (_CHART / "dashboards").iterdir()}
    assert names == {Path(name).name for name in chart_files() if name.startswith("dashboards/")}


def test_every_panel_explains_its_values_and_their_absence() -> None:
    for name, text in chart_files().items():
        if not name.startswith("dashboards/"):
            continue
        panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        for panel in panels:
            assert len(panel["description"]) > 20 and panel["description"].endswith("."), panel["title"]
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"] and defaults["noValue"] and defaults["thresholds"]["steps"], panel["title"]
            assert all(target["legendFormat"] and target["expr"] for target in panel["targets"]), panel["title"]


def test_panels_do_not_overlap_and_lie_on_the_grid() -> None:
    for name, text in chart_files().items():
        if not name.startswith("dashboards/"):
            continue
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(text)["panels"]:
            position = panel["gridPos"]
            assert position["x"] + position["w"] <= 24
            cells = {
                (x, y)
                for x in range(position["x"], position["x"] + position["w"])
                for y in range(position["y"], position["y"] + position["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells


def test_every_metric_of_the_mesh_in_a_query_is_documented() -> None:
    described = set(re.findall(r"^\| `(\w+)`", (_ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    for query in all_queries("1h", "1m"):
        for name in re.findall(r"lumenmill_\w+", query.expr):
            base = re.sub(r"_(sum|count|bucket)$", "", name)
            assert base in described, f"{query.location}: {name}"


def test_queries_that_need_an_exporter_of_the_cluster_are_marked() -> None:
    for query in all_queries("1h", "1m"):
        needed = Source.DCGM if "DCGM_" in query.expr else Source.KUBE if "kube_" in query.expr else Source.MESH
        assert query.source is needed, query.location


def test_every_alert_has_a_runbook() -> None:
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


def test_runbooks_name_panels_that_exist() -> None:
    boards = {board.title.removeprefix("Lumenmill / ") for board in BOARDS}
    known = boards | {panel.title for board in BOARDS for panel in board.panels} | {"Status → Targets"}
    for path in (_ROOT / "docs" / "runbooks").glob("*.md"):
        named = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", re.sub(r"`[^`]*`", "", path.read_text())))
        assert named <= known, f"{path.name}: {named - known}"
