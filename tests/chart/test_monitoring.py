"""Objects for Prometheus and Grafana."""

import json
import re
from typing import Any

import pytest
import yaml

from .helm import CHART, NAMESPACE, Object, export_job, of_kind, pods, render

_ALL = {f"monitoring__{part}__enabled": True for part in ("podMonitor", "rules", "dashboards")}


def test_exactly_the_processes_with_metrics_are_scraped() -> None:
    objects = render("embedded", **_ALL, database__kind="chart")
    [monitor] = of_kind(objects, "PodMonitor").values()
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [components] = monitor["spec"]["selector"]["matchExpressions"]
    for name, pod in pods(objects):
        ports = [port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])]
        is_selected = pod["metadata"]["labels"][components["key"]] in components["values"]
        assert is_selected == (endpoint["port"] in ports), name
    assert export_job(objects) is None


def test_metrics_have_the_name_of_the_model() -> None:
    [monitor] = of_kind(render("embedded", **_ALL), "PodMonitor").values()
    [relabeling] = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert relabeling == {"sourceLabels": ["__meta_kubernetes_pod_label_lumenmill_dev_model"], "targetLabel": "model"}


def _alerts(**overrides: Any) -> dict[str, Object]:
    [rule] = of_kind(render("embedded", **_ALL, **overrides), "PrometheusRule").values()
    return {alert["alert"]: alert for group in rule["spec"]["groups"] for alert in group["rules"]}


def test_alerts_are_those_of_the_file_for_pods_of_the_release() -> None:
    groups = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    alerts, written = _alerts(), {alert["alert"]: alert for group in groups for alert in group["rules"]}
    pending = "LumenmillPodsPending"
    assert {name: alert for name, alert in alerts.items() if name != pending} == {
        name: alert for name, alert in written.items() if name != pending
    }
    assert alerts[pending]["expr"] != written[pending]["expr"]
    assert {**alerts[pending], "expr": ""} == {**written[pending], "expr": ""}


@pytest.mark.parametrize("name", ["", "forge", "the-forge-of-a-very-long-name-x"])
def test_pending_pods_are_selected_for_any_release_name(name: str) -> None:
    expr = _alerts(fullnameOverride=name)["LumenmillPodsPending"]["expr"]
    namespace, pattern = re.findall(r'namespace="(\w+)", pod=~"([^"]+)"', expr)[0]
    assert namespace == NAMESPACE
    objects = render("embedded", fullnameOverride=name, database__kind="chart")
    workloads = [found for found in objects if found["kind"] in {"Deployment", "StatefulSet", "CronJob", "Pod"}]
    assert len(workloads) > 5
    assert all(re.fullmatch(pattern, f"{found['metadata']['name']}-0") for found in workloads)
    owner = next(
        found["metadata"]["name"] for found in workloads if found["metadata"]["name"].endswith("-orchestrator")
    )
    assert re.fullmatch(pattern, f"{owner[:30]}-export-0123456789abcdef-x7k2p")  # the names of export Jobs
    assert not re.fullmatch(pattern, "another-0")


def test_alerts_link_to_their_pages_when_a_url_is_set() -> None:
    unlinked = [alert["annotations"] for alert in _alerts().values()]
    assert all("runbook_url" not in found and (CHART.parents[1] / found["runbook"]).is_file() for found in unlinked)
    base = "https://git.example.com/lumenmill/docs/runbooks"
    for given in (base, f"{base}/"):
        linked = [alert["annotations"] for alert in _alerts(monitoring__rules__runbookUrl=given).values()]
        assert [found["runbook_url"] for found in linked] == [
            f"{base}/{found['runbook'].removeprefix('docs/runbooks/')}" for found in unlinked
        ]
        assert all("runbook" not in found for found in linked)


def test_dashboards_are_those_of_the_files() -> None:
    objects = render("embedded", **_ALL, monitoring__rules__labels={"release": "prometheus"})
    [rule] = of_kind(objects, "PrometheusRule").values()
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    files = {path.stem: json.loads(path.read_text()) for path in (CHART / "files" / "dashboards").glob("*.json")}
    found = {
        name.removeprefix("dashboard-"): json.loads(next(iter(config["data"].values())))
        for name, config in of_kind(objects, "ConfigMap").items()
        if config["metadata"]["labels"].get("grafana_dashboard") == "1"
    }
    assert found == files
    assert found


def test_without_monitoring_there_are_no_such_objects() -> None:
    kinds = {found["kind"] for found in render("embedded")}
    assert not kinds & {"PodMonitor", "PrometheusRule"}
    assert of_kind(render("embedded"), "ConfigMap").keys() == {"orchestrator", "test"}
