"""What Prometheus and Grafana get."""

import json

import yaml

from .helm import CHART, export_job, of_kind, pods, render

_ALL = {f"monitoring__{part}__enabled": True for part in ("podMonitor", "rules", "dashboards")}


def test_every_process_with_metrics_is_scraped_and_no_other() -> None:
    objects = render("embedded", **_ALL, database__kind="chart")
    [monitor] = of_kind(objects, "PodMonitor").values()
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    [components] = monitor["spec"]["selector"]["matchExpressions"]
    for name, pod in pods(objects):
        ports = [port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", [])]
        is_chosen = pod["metadata"]["labels"][components["key"]] in components["values"]
        assert is_chosen == (endpoint["port"] in ports), name
    assert export_job(objects) is None


def test_models_are_told_apart_by_their_names_in_recipes() -> None:
    [monitor] = of_kind(render("embedded", **_ALL), "PodMonitor").values()
    [relabeling] = monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
    assert relabeling == {"sourceLabels": ["__meta_kubernetes_pod_label_lumenmill_dev_model"], "targetLabel": "model"}


def test_alerts_and_dashboards_are_those_of_the_files() -> None:
    objects = render("embedded", **_ALL, monitoring__rules__labels={"release": "prometheus"})
    [rule] = of_kind(objects, "PrometheusRule").values()
    assert rule["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    files = {path.stem: json.loads(path.read_text()) for path in (CHART / "files" / "dashboards").glob("*.json")}
    found = {
        name.removeprefix("dashboard-"): json.loads(next(iter(config["data"].values())))
        for name, config in of_kind(objects, "ConfigMap").items()
        if config["metadata"]["labels"].get("grafana_dashboard") == "1"
    }
    assert found == files
    assert found


def test_without_monitoring_there_is_none() -> None:
    kinds = {found["kind"] for found in render("embedded")}
    assert not kinds & {"PodMonitor", "PrometheusRule"}
    assert of_kind(render("embedded"), "ConfigMap").keys() == {"orchestrator", "test"}
