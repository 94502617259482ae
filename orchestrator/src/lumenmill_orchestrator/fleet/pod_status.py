"""The state of a pod, and what is wrong with it in the words of the scheduler or the kubelet."""

from dataclasses import dataclass

from lumenmill.orchestrator.v1 import fleet_pb2
from lumenmill_orchestrator.fleet.api import ApiObject

__all__ = ["PodStatus", "find_condition", "parse_status"]

_PENDING = fleet_pb2.FLEET_POD_STATE_PENDING
_STARTING = fleet_pb2.FLEET_POD_STATE_STARTING
_READY = fleet_pb2.FLEET_POD_STATE_READY
_DRAINING = fleet_pb2.FLEET_POD_STATE_DRAINING
_FAILED = fleet_pb2.FLEET_POD_STATE_FAILED
# Reasons for which a container waits until an operator intervenes.
_STUCK_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
    }
)
_FAILING_REASONS = frozenset({"CrashLoopBackOff", "RunContainerError", "StartError"})


@dataclass(frozen=True, slots=True)
class PodStatus:
    """The state of one pod, and what is wrong with it."""

    state: "fleet_pb2.FleetPodState.ValueType"
    problem: str = ""
    is_stuck: bool = False
    """It will not serve until an operator intervenes."""
    has_ended: bool = False
    """Its containers have ended for good: it holds no resources."""
    is_being_prepared: bool = False
    """The kubelet prepares its image or volumes, and the pod does not say which; events may."""
    scheduler_message: str = ""
    """Why the scheduler finds no node for it, in its words; empty otherwise."""


def find_condition(status: ApiObject, kind: str) -> ApiObject:
    """Return the condition of one kind in the status of a pod, node, Job or Deployment; empty when there is none."""
    found: ApiObject = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return found


def parse_status(pod: ApiObject) -> PodStatus:
    """Return the state of a pod, given as the JSON of the API server."""
    status, phase = pod.get("status", {}), pod.get("status", {}).get("phase", "Pending")
    if phase in ("Failed", "Succeeded"):
        return PodStatus(_FAILED, _end_of_pod(status), is_stuck=True, has_ended=True)
    if "deletionTimestamp" in pod["metadata"]:
        return PodStatus(_DRAINING)
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = _stuck_or_failing(container)
        if waiting is not None:
            return waiting
    if phase == "Running":
        is_ready = find_condition(status, "Ready").get("status") == "True"
        return PodStatus(_READY) if is_ready else PodStatus(_STARTING, _last_restart(status))
    return _pending(pod, status)


def _pending(pod: ApiObject, status: ApiObject) -> PodStatus:
    if not pod["spec"].get("nodeName"):
        message = find_condition(status, "PodScheduled").get("message", "")
        return PodStatus(_PENDING, message or "the scheduler has not seen it yet", scheduler_message=message)
    if any("running" in each.get("state", {}) for each in status.get("initContainerStatuses", [])):
        return PodStatus(_STARTING, _last_restart(status))  # it fetches its weights
    return PodStatus(_PENDING, "its image or volumes are being prepared", is_being_prepared=True)


def _stuck_or_failing(container: ApiObject) -> PodStatus | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason = waiting.get("reason", "")
    message = ": ".join(filter(None, [reason, waiting.get("message", "")]))
    if reason in _STUCK_REASONS:
        return PodStatus(_PENDING, message, is_stuck=True)
    if reason in _FAILING_REASONS:
        return PodStatus(_FAILED, "; ".join(filter(None, [_restarts_of(container), message])), is_stuck=True)
    return None


def _end_of_pod(status: ApiObject) -> str:
    """Return why a pod has ended: the kubelet's message about the pod (such as an eviction), or its container's end."""
    message = ": ".join(filter(None, [status.get("reason", ""), status.get("message", "")]))
    ends = [_termination(each.get("state", {})) for each in status.get("containerStatuses", [])]
    return message or next(filter(None, ends), "") or "it has ended"


def _last_restart(status: ApiObject) -> str:
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next(filter(None, map(_restarts_of, containers)), "")


def _restarts_of(container: ApiObject) -> str:
    """Return how often a container was restarted and how it last ended; empty when it never was."""
    end = _termination(container.get("lastState", {}))
    times = int(container.get("restartCount", 0))
    return f"restarted {times} {'time' if times == 1 else 'times'}, {end}" if end and times else ""


def _termination(state: ApiObject) -> str:
    terminated = state.get("terminated")
    if terminated is None:
        return ""
    text = f"{terminated.get('reason', 'Error')} (exit code {terminated.get('exitCode', 0)})"
    message = terminated.get("message", "").strip()
    return f"{text}: {message[-500:]}" if message else text
