"""Every query of every dashboard and alert, asked of a real Prometheus that has watched a real mesh at work."""

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
from monitoring.rehearsal import Rehearsal, rehearsed

_PROMETHEUS = shutil.which("prometheus")
_EXPORTERS = Path(__file__).with_name("exporters")
_WINDOW, _RATE_INTERVAL, _STEP_S = "1m", "15s", 5.0
# Metrics of torch models alone.
_NEURAL = re.compile(r"lumenmill_(device|out_of_memory)_")

pytestmark = [
    pytest.mark.skipif(_PROMETHEUS is None, reason="prometheus is not on the path (Debian: package prometheus)"),
    pytest.mark.timeout(1500),
]


def _exporter(text: str) -> ThreadingHTTPServer:
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
    servers = {path.stem: _exporter(path.read_text()) for path in _EXPORTERS.glob("*.txt")}
    addresses = {name: f"127.0.0.1:{server.server_port}" for name, server in servers.items()}
    try:
        with rehearsed(tmp_path_factory.mktemp("rehearsal"), str(_PROMETHEUS), exporters=addresses) as rehearsal:
            yield rehearsal
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


def _asked(rehearsal: Rehearsal, expr: str) -> list[Series]:
    return rehearsal.prometheus.over(expr, rehearsal.start_s, rehearsal.end_s, _STEP_S)


def _of_dashboards() -> list[NamedQuery]:
    return [query for query in all_queries(_WINDOW, _RATE_INTERVAL) if not query.place.startswith("alert ")]


def test_every_process_of_the_mesh_is_scraped(rehearsal: Rehearsal) -> None:
    up = rehearsal.prometheus.up()
    expected = {"grammar", "studio", "photometric", "orchestrator", "secure", "dcgm", "kube"}
    assert expected <= set(up) and all(up.values()), up


@pytest.mark.parametrize("query", _of_dashboards(), ids=lambda query: query.place)
def test_a_query_of_a_dashboard_returns_data(rehearsal: Rehearsal, query: NamedQuery) -> None:
    if _NEURAL.search(query.expr) and not rehearsal.has_neural:
        pytest.skip("the neural services are not installed (make neural)")
    assert _asked(rehearsal, query.expr), query.expr


def test_the_alerts_are_evaluated_without_an_error(rehearsal: Rehearsal) -> None:
    rules = {rule["name"]: rule for rule in rehearsal.prometheus.rules()}
    assert set(rules) == {alert.name for alert in ALERTS}
    assert {rule["health"] for rule in rules.values()} == {"ok"}, rules


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_what_an_alert_asks_for_is_there_with_the_labels_it_asks_by(rehearsal: Rehearsal, alert: Alert) -> None:
    """Alerts return nothing while all is well: so each metric in one is asked for by itself."""
    if _NEURAL.search(alert.expr) and not rehearsal.has_neural:
        pytest.skip("the neural services are not installed (make neural)")
    for part in alert.expr.split(" or "):
        found = re.findall(r"((?:lumenmill|kube)_\w+)(?:\{([^}]*)\})?", part)
        grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", part) for label in labels.split(",")}
        assert found
        for name, matchers in found:
            series = _asked(rehearsal, name)
            assert series, name
            labels = set(re.findall(r"(\w+)(?:=|!)", matchers)) | grouped - {"le"}
            missing = {label for label in labels if not any(each.labels.get(label) for each in series)}
            assert not missing, (name, missing)


def test_every_dashboard_can_be_drawn(rehearsal: Rehearsal, tmp_path: Path) -> None:
    for board in BOARDS:
        picture = tmp_path / f"{board.uid}.png"
        draw(board.uid, rehearsal, picture)
        assert picture.stat().st_size > 50_000
