"""What a pod is at, and what is wrong with it in the words of the scheduler or the kubelet."""

from dataclasses import dataclass

from lumenmill.orchestrator.v1 import fleet_pb2

from lumenmill_orchestrator.fleet.api import ApiObject

__all__ = ["PodCondition", "condition_of", "stated"]

_PENDING = fleet_pb2.FLEET_POD_STATE_PENDING
_STARTING = fleet_pb2.FLEET_POD_STATE_STARTING
_READY = fleet_pb2.FLEET_POD_STATE_READY
_DRAINING = fleet_pb2.FLEET_POD_STATE_DRAINING
_FAILED = fleet_pb2.FLEET_POD_STATE_FAILED
# Why a container waits, where that ends only when somebody does something.
_NEEDS_SOMEBODY = frozenset(
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
_KEEPS_FAILING = frozenset({"CrashLoopBackOff", "RunContainerError", "StartError"})


@dataclass(frozen=True, slots=True)
class PodCondition:
    """What one pod is at."""

    state: "fleet_pb2.FleetPodState.ValueType"
    problem: str = ""
    is_stuck: bool = False
    """It will not serve before somebody mends something."""
    has_ended: bool = False
    """Its containers have ended for good: it holds nothing."""
    waits_for_node: bool = False
    """The kubelet prepares it and does not say in the pod what it waits for; events may."""


def stated(status: ApiObject, kind: str) -> ApiObject:
    """What the status of a pod, node or Deployment states of one kind of condition; empty where it states nothing."""
    found: ApiObject = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return found


def condition_of(pod: ApiObject) -> PodCondition:
    """What a pod in the API server's JSON is at."""
    status, phase = pod.get("status", {}), pod.get("status", {}).get("phase", "Pending")
    if phase in ("Failed", "Succeeded"):
        return PodCondition(_FAILED, _ended(status), is_stuck=True, has_ended=True)
    if "deletionTimestamp" in pod["metadata"]:
        return PodCondition(_DRAINING)
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        wrong = _wrong(container)
        if wrong is not None:
            return wrong
    if phase == "Running":
        is_ready = stated(status, "Ready").get("status") == "True"
        return PodCondition(_READY) if is_ready else PodCondition(_STARTING, _last_end(status))
    return _pending(pod, status)


def _pending(pod: ApiObject, status: ApiObject) -> PodCondition:
    if not pod["spec"].get("nodeName"):
        said = stated(status, "PodScheduled").get("message", "")
        return PodCondition(_PENDING, said or "the scheduler has not seen it yet")
    running = any("running" in each.get("state", {}) for each in status.get("initContainerStatuses", []))
    if running:  # it fetches its weights
        return PodCondition(_STARTING, _last_end(status))
    return PodCondition(_PENDING, "its image or volumes are being made ready", waits_for_node=True)


def _wrong(container: ApiObject) -> PodCondition | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason = waiting.get("reason", "")
    words = ": ".join(filter(None, [reason, waiting.get("message", "")]))
    if reason in _NEEDS_SOMEBODY:
        return PodCondition(_PENDING, words, is_stuck=True)
    if reason in _KEEPS_FAILING:
        ended = _end_of(container)
        return PodCondition(_FAILED, "; ".join(filter(None, [ended, words])), is_stuck=True)
    return None


def _ended(status: ApiObject) -> str:
    """Why a pod has ended: what the kubelet says of the pod (it was evicted), or of its last container."""
    words = ": ".join(filter(None, [status.get("reason", ""), status.get("message", "")]))
    ends = [_terminated(each.get("state", {})) for each in status.get("containerStatuses", [])]
    return words or next(filter(None, ends), "") or "it has ended"


def _last_end(status: ApiObject) -> str:
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next(filter(None, map(_end_of, containers)), "")


def _end_of(container: ApiObject) -> str:
    """How a container ended before it was started again; empty when it never did."""
    ended = _terminated(container.get("lastState", {}))
    times = int(container.get("restartCount", 0))
    return f"started again {times} {'time' if times == 1 else 'times'}, {ended}" if ended and times else ""


def _terminated(state: ApiObject) -> str:
    ended = state.get("terminated")
    if ended is None:
        return ""
    words = f"{ended.get('reason', 'Error')} (exit code {ended.get('exitCode', 0)})"
    message = ended.get("message", "").strip()
    return f"{words}: {message[-500:]}" if message else words
