"""Alerts are raised when they should be, and only then; checked with Prometheus' promtool."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from monitoring.alerts import ALERTS
from monitoring.output import chart_files

_PROMTOOL = shutil.which("promtool")
_CASES = Path(__file__).with_name("rules.yaml")

pytestmark = pytest.mark.skipif(_PROMTOOL is None, reason="promtool is not on the path (Debian: package prometheus)")


def _promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(_PROMTOOL), *arguments], cwd=folder, check=False, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the alerts of the chart."""
    (tmp_path / "alerts.yaml").write_text(chart_files()["alerts.yaml"])
    return tmp_path


def test_the_rules_are_valid(folder: Path) -> None:
    checked = _promtool(folder, "check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_are_raised_when_they_should_be(folder: Path) -> None:
    # Annotations contain numbers of the case and are not tested.
    yaml = YAML()
    rules = yaml.load(folder / "alerts.yaml")
    for rule in rules["groups"][0]["rules"]:
        rule.pop("annotations")
    yaml.dump(rules, folder / "alerts.yaml")
    shutil.copy(_CASES, folder / "cases.yaml")
    tested = _promtool(folder, "test", "rules", "cases.yaml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_in_which_it_is_raised_and_one_in_which_it_is_not() -> None:
    tests = YAML(typ="safe").load(_CASES)["tests"]
    asked = [case for test in tests for case in test["alert_rule_test"]]
    for alert in ALERTS:
        raised = {bool(case["exp_alerts"]) for case in asked if case["alertname"] == alert.name}
        assert raised == {True, False}, alert.name
