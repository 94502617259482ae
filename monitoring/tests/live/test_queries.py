"""Runs every query of every dashboard and alert on a real Prometheus that has scraped a real mesh."""

import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from docs.tools.draw_dashboards import draw
from monitoring.alerts import ALERTS, Alert
from monitoring.boards import BOARDS
from monitoring.prometheus import Series
from monitoring.queries import NamedQuery, all_queries
from monitoring.rehearsal import Rehearsal, run_rehearsal

_PROMETHEUS = shutil.which("prometheus")
_EXPORTERS = Path(__file__).with_name("exporters")
_WINDOW, _RATE_INTERVAL, _STEP_S = "1m", "15s", 5.0
# Metrics of neural models only.
_NEURAL = re.compile(r"lumenmill_(device|out_of_memory)_")

pytestmark = [
    pytest.mark.skipif(_PROMETHEUS is None, reason="prometheus is not on the path (Debian: package prometheus)"),
    pytest.mark.timeout(1500),
]


def _serve_metrics(text: str) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    servers = {path.stem: _serve_metrics(path.read_text()) for path in _EXPORTERS.glob("*.txt")}
    addresses = {name: f"127.0.0.1:{server.server_port}" for name, server in servers.items()}
    try:
        with run_rehearsal(tmp_path_factory.mktemp("rehearsal"), str(_PROMETHEUS), exporters=addresses) as rehearsal:
            yield rehearsal
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


def _query(rehearsal: Rehearsal, expr: str) -> list[Series]:
    return rehearsal.prometheus.query_range(expr, rehearsal.start_s, rehearsal.end_s, _STEP_S)


def _dashboard_queries() -> list[NamedQuery]:
    return [query for query in all_queries(_WINDOW, _RATE_INTERVAL) if not query.location.startswith("alert ")]


def test_every_process_of_the_mesh_is_scraped(rehearsal: Rehearsal) -> None:
    up = rehearsal.prometheus.up()
    expected = {"grammar", "studio", "photometric", "orchestrator", "secure", "dcgm", "kube"}
    assert expected <= set(up) and all(up.values()), up


@pytest.mark.parametrize("query", _dashboard_queries(), ids=lambda query: query.location)
def test_a_query_of_a_dashboard_returns_data(rehearsal: Rehearsal, query: NamedQuery) -> None:
    if _NEURAL.search(query.expr) and not rehearsal.has_neural:
        pytest.skip("the neural services are not installed (make neural)")
    assert _query(rehearsal, query.expr), query.expr


def test_the_alerts_are_evaluated_without_an_error(rehearsal: Rehearsal) -> None:
    rules = {rule["name"]: rule for rule in rehearsal.prometheus.rules()}
    assert set(rules) == {alert.name for alert in ALERTS}
    assert {rule["health"] for rule in rules.values()} == {"ok"}, rules


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_metrics_of_an_alert_have_data_and_the_labels_that_it_uses(rehearsal: Rehearsal, alert: Alert) -> None:
    """Alerts return nothing while the mesh is healthy, so each of their metrics is queried by itself."""
    if _NEURAL.search(alert.expr) and not rehearsal.has_neural:
        pytest.skip("the neural services are not installed (make neural)")
    for part in alert.expr.split(" or "):
        found = re.findall(r"((?:lumenmill|kube)_\w+)(?:\{([^}]*)\})?", part)
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", part) for label in labels.split(",")}
        assert found
        for name, matchers in found:
            series = _query(rehearsal, name)
            assert series, name
            labels = set(re.findall(r"(\w+)(?:=|!)", matchers)) | grouped - {"le"}
            missing = {label for label in labels if not any(each.labels.get(label) for each in series)}
            assert not missing, (name, missing)


def test_every_dashboard_can_be_drawn(rehearsal: Rehearsal, tmp_path: Path) -> None:
    for board in BOARDS:
        picture = tmp_path / f"{board.uid}.png"
        draw(board.uid, rehearsal, picture)
        assert picture.stat().st_size > 50_000
