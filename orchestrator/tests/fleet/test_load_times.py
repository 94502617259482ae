"""Which pods count as measurements of the load time."""

from dataclasses import replace
from typing import Any

from lumenmill_orchestrator.fleet.load_times import LoadTimes
from lumenmill_orchestrator.fleet.objects import Deployment, GpuNames, Pod, parse_deployment, parse_pod

_HOUR_S = 3600.0


def _pod(name: str, start_s: float, ready_s: float | None, num_restarts: int = 0) -> Pod:
    metadata = {"name": name, "uid": name, "labels": {}}
    pod = parse_pod({"metadata": metadata, "spec": {"containers": []}, "status": {}}, "wan", GpuNames())
    return replace(pod, start_time_s=start_s, ready_time_s=ready_s, num_restarts=num_restarts)


def _deployments(deadline_s: int = 2400) -> dict[str, Deployment]:
    wan: dict[str, Any] = {
        "metadata": {"name": "mill-wan", "labels": {"lumenmill.dev/model": "wan"}},
        "spec": {"progressDeadlineSeconds": deadline_s, "template": {"spec": {}}},
    }
    return {"wan": parse_deployment(wan, GpuNames())}


def test_a_node_that_was_not_ready_for_a_moment_causes_no_load_time_of_days() -> None:
    times = LoadTimes()
    times.observe([_pod("a", 0.0, 300.0), _pod("old", -72 * _HOUR_S, 10.0)], _deployments())
    assert times.of_models() == {"wan": 300.0} and times.of_pods() == {"a": 300.0}
    times.observe([_pod("a", 0.0, None), _pod("old", -72 * _HOUR_S, None)], _deployments())
    times.observe([_pod("a", 0.0, 5000.0), _pod("old", -72 * _HOUR_S, 5000.0)], _deployments())
    assert times.of_models() == {"wan": 300.0}, "each pod is measured once"


def test_pods_beyond_the_deadline_or_with_restarts_do_not_count() -> None:
    times = LoadTimes()
    times.observe([_pod("slow", 0.0, 2401.0), _pod("again", 0.0, 100.0, num_restarts=1)], _deployments())
    assert times.of_models() == {}
    times.observe([_pod("slow", 0.0, 2401.0), _pod("b", 0.0, 2400.0)], _deployments())
    assert times.of_models() == {"wan": 2400.0}


def test_a_model_without_pods_keeps_its_measurements() -> None:
    times = LoadTimes()
    times.recall("wan", 200.0)
    assert times.of_models() == {"wan": 200.0}
    times.observe([_pod("a", 0.0, 120.0)], _deployments())
    times.recall("wan", 200.0)
    times.observe([], _deployments())
    assert times.of_models() == {"wan": 120.0} and times.of_pods() == {}


def test_one_wrong_measurement_does_not_change_the_median() -> None:
    times = LoadTimes()
    times.recall("wan", 25.0)
    times.observe([_pod("blinked", 0.0, 400.0)], _deployments())
    assert times.of_models() == {"wan": 25.0}
    times.observe([_pod(f"slower now {number}", 0.0, 60.0) for number in range(3)], _deployments())
    assert times.of_models() == {"wan": 60.0}
