"""docs/metrics.md names exactly the metrics of every service; metrics of store and certificates are correct."""

import math
import re
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from lumenmill_common import telemetry
from lumenmill_common.artifacts import open_store
from lumenmill_common.certificates import watch_certificates
from lumenmill_common.errors import DataLossError, NotFoundError
from lumenmill_common.settings import SecuritySettings
from lumenmill_common.testing.certificates import make_authority, make_certificate

_DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"lumenmill_{name}", labels) or 0.0


def test_the_document_names_every_metric_of_the_service_framework() -> None:
    section = _DOCUMENT.read_text().partition("\n## Of every service\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", section, re.MULTILINE)
    documented = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    served: dict[str, tuple[str, tuple[str, ...]]] = {}
    for metric in vars(telemetry).values():
        if isinstance(metric, telemetry.Counter | telemetry.Gauge | telemetry.Histogram):
            described: Any = next(iter(metric.describe()))
            name = described.name + ("_total" if described.type == "counter" else "")
            served[name] = (described.type, tuple(metric._labelnames))
    assert documented == served


def test_operations_of_the_store_are_counted_by_outcome(tmp_path: Path) -> None:
    store = open_store((tmp_path / "store").as_uri())
    before = {
        "written": _value("store_bytes_total", direction="written"),
        "read": _value("store_bytes_total", direction="read"),
        "damaged": _value("store_operation_duration_seconds_count", operation="read", outcome="DATA_LOSS"),
        "missing": _value("store_operation_duration_seconds_count", operation="read", outcome="NOT_FOUND"),
    }
    artifact = store.put_bytes(b"light" * 1000, "application/json")
    assert store.read_bytes(artifact) == b"light" * 1000
    assert _value("store_bytes_total", direction="written") - before["written"] == 5000
    assert _value("store_bytes_total", direction="read") - before["read"] == 5000
    Path(artifact.uri.removeprefix("file://")).write_bytes(b"dark")
    with pytest.raises(DataLossError):
        store.read_bytes(artifact)
    store.delete(artifact.sha256)
    with pytest.raises(NotFoundError):
        store.read_bytes(artifact)
    damaged = _value("store_operation_duration_seconds_count", operation="read", outcome="DATA_LOSS")
    missing = _value("store_operation_duration_seconds_count", operation="read", outcome="NOT_FOUND")
    assert (damaged - before["damaged"], missing - before["missing"]) == (1, 1)


def test_free_bytes_are_published_and_a_missing_store_breaks_no_scrape(tmp_path: Path) -> None:
    open_store((tmp_path / "store").as_uri())
    assert _value("store_free_bytes", kind="folder") > 0
    (tmp_path / "store" / "objects").rmdir()
    (tmp_path / "store" / "incoming").rmdir()
    (tmp_path / "store").rmdir()
    away = REGISTRY.get_sample_value("lumenmill_store_free_bytes", {"kind": "folder"})
    assert away is not None and math.isnan(away)


def test_the_expiry_of_certificates_is_published_and_follows_rotation(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_certificate(tmp_path, "server", days=5)
    watch_certificates(SecuritySettings(tls_cert_file=tmp_path / "server.pem", tls_key_file=tmp_path / "server.key"))
    left_s = _value("certificate_expiry_timestamp_seconds", certificate="own") - time.time()
    assert 4.9 < left_s / 86_400 < 5.1
    make_certificate(tmp_path, "server", days=9)
    left_s = _value("certificate_expiry_timestamp_seconds", certificate="own") - time.time()
    assert 8.9 < left_s / 86_400 < 9.1
    (tmp_path / "server.pem").write_text("no certificate")
    spoilt = REGISTRY.get_sample_value("lumenmill_certificate_expiry_timestamp_seconds", {"certificate": "own"})
    assert spoilt is not None and math.isnan(spoilt)
