"""The interface to what starts pods: whether one is being started for a model that no pod serves."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["CapacityProvider", "CapacityState", "NoCapacityProvider"]


@dataclass(frozen=True)
class CapacityState:
    """What is being done for a model that no pod serves."""

    is_coming: bool
    """Whether a pod is being started. Calls then wait, and the time does not count towards the retry timeout."""
    reason: str
    """Why no pod serves yet, for people: the words of the scheduler or the kubelet where there are some."""


class CapacityProvider(Protocol):
    """Reports what is being done for models that no pod serves. Queried every few seconds while calls wait for one."""

    async def state_of(self, model: str) -> CapacityState | None:
        """Return the state of a model within seconds; None when nothing is known of it."""


class NoCapacityProvider:
    """The provider where nothing starts pods: nothing is known of any model."""

    async def state_of(self, model: str) -> CapacityState | None:
        """Return None."""
        return None
