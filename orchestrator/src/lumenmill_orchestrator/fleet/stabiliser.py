"""When a number of pods may go down: only after it was too large for a while, and only as far as it was too large."""

from collections import deque

from lumenmill_orchestrator.fleet.demand import Demand
from lumenmill_orchestrator.fleet.objects import Deployment

__all__ = ["Stabiliser", "needed_pods"]


def needed_pods(demand: Demand, deployment: Deployment, now_s: float) -> int:
    """Pods that a model needs now, between its bounds. `now_s`: Unix seconds."""
    num_pods = max(demand.num_pods, int(demand.is_active(now_s)))
    return min(max(num_pods, deployment.min_replicas), deployment.max_replicas)


class Stabiliser:
    """What one model needed lately."""

    def __init__(self, num_desired: int, now_s: float) -> None:
        """Whoever looks for the first time takes what there is for needed: it does not know what was before."""
        self._needed: deque[tuple[float, int]] = deque([(now_s, num_desired)])

    def num_desired(self, num_now: int, num_needed: int, window_s: float, now_s: float) -> int:
        """Pods to ask for, where there are `num_now` and `num_needed` are needed.

        More at once; fewer when that was enough for `window_s` seconds.
        """
        self._needed.append((now_s, num_needed))
        while now_s - self._needed[0][0] > window_s:
            self._needed.popleft()
        if num_needed >= num_now:
            return num_needed
        return min(num_now, max(needed for _, needed in self._needed))
