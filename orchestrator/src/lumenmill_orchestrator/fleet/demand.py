"""How many pods the work of a model needs: the one decision behind KEDA's scaler and the built-in loop.

docs/adr/0009-scaling-by-backlog-seconds.md says why it is made this way.
"""

import math
from dataclasses import dataclass

from lumenmill_orchestrator.mesh import Load

__all__ = ["DEFAULT_TARGET_BACKLOG_S", "Demand"]

DEFAULT_TARGET_BACKLOG_S = 600.0
# A model that has just become idle is kept for as long as it costs to load it twice, and at least a minute: the next
# nodes of the same chains may be on their way.
_KEEP_AT_LEAST_S = 60.0
_LOADS_WORTH_KEEPING = 2.0


@dataclass(frozen=True)
class Demand:
    """What one model is asked for."""

    load: Load
    """Over all replicas of the orchestrator."""
    target_backlog_s: float
    """Seconds of work that one pod is given before another one is started."""
    num_workers_per_pod: int = 1
    load_time_s: float = 0.0
    """Seconds from a pod's start until it serves; 0 while that is not known."""

    @property
    def metric(self) -> float:
        """Seconds of work, divided by which the target gives the pods that the present work needs.

        It never asks for more pods than could work at once on the calls that there are: one half-hour clip is work for
        one pod, however short the target. Pods that are starting do not change it, as the work is the same.
        """
        backlog_s = self.load.backlog_s / self.num_workers_per_pod
        most_pods = math.ceil(self.load.num_calls / self.num_workers_per_pod)
        return min(backlog_s, most_pods * self.target_backlog_s)

    @property
    def num_pods(self) -> int:
        """Pods that the present work needs."""
        return math.ceil(self.metric / self.target_backlog_s)

    def is_active(self, now_s: float) -> bool:
        """Whether the model is needed at all: it has work, or had some a short while ago. `now_s`: Unix seconds."""
        if self.load.num_calls:
            return True
        keep_s = max(_KEEP_AT_LEAST_S, _LOADS_WORTH_KEEPING * self.load_time_s)
        return self.load.last_work_s is not None and now_s - self.load.last_work_s < keep_s
