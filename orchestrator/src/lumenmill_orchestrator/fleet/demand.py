"""How many pods the work of a model needs, as reported to KEDA.

docs/adr/0009-scaling-by-backlog-seconds.md gives the reasons.
"""

import math
from dataclasses import dataclass

from lumenmill_orchestrator.mesh import Load

__all__ = ["DEFAULT_TARGET_BACKLOG_S", "Demand"]

DEFAULT_TARGET_BACKLOG_S = 600.0
# A model that has just become idle is kept for as long as loading it twice takes, and at least a minute: the next steps
# of the same items may need it soon.
_MIN_KEEP_S = 60.0
_KEEP_LOAD_TIMES = 2.0


@dataclass(frozen=True)
class Demand:
    """The work of one model, and the pods that it needs."""

    load: Load
    """Over all replicas of the orchestrator."""
    target_backlog_s: float
    """Seconds of work for one pod, beyond which another one is started."""
    num_workers_per_pod: int = 1
    load_time_s: float = 0.0
    """Seconds from a pod's start until it serves; 0 while that is not known."""

    @property
    def metric(self) -> float:
        """Seconds of work; divided by the target, the number of pods that the work needs.

        It never asks for more pods than can work on the calls at once: one half-hour clip is work for one pod, however
        short the target. Pods that are starting do not change it, since the work is the same.
        """
        backlog_s = self.load.backlog_s / self.num_workers_per_pod
        max_pods = math.ceil(self.load.num_calls / self.num_workers_per_pod)
        return min(backlog_s, max_pods * self.target_backlog_s)

    @property
    def num_pods(self) -> int:
        """Pods that the work needs."""
        return math.ceil(self.metric / self.target_backlog_s)

    def is_active(self, now_s: float) -> bool:
        """Whether the model is needed: it has work, or had some a short while ago. `now_s`: Unix seconds."""
        if self.load.num_calls:
            return True
        keep_s = max(_MIN_KEEP_S, _KEEP_LOAD_TIMES * self.load_time_s)
        return self.load.last_work_time is not None and now_s - self.load.last_work_time < keep_s
