"""Whoever knows whether pods of a model are on their way: a cluster, where there is one."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["NoSupply", "Supply", "SupplyState"]


@dataclass(frozen=True)
class SupplyState:
    """What is being done for a model of which no pod serves."""

    is_coming: bool
    """Whether a pod is on its way. Calls then wait for as long as it takes, and lose no patience."""
    reason: str
    """Why none serves yet, for people, in the words of whoever knows best."""


class Supply(Protocol):
    """Tells what is being done for models of which no pod serves. Asked every few seconds while calls wait for one."""

    async def of(self, model: str) -> SupplyState | None:
        """State of a model's supply, within seconds; None when nothing is known of it."""


class NoSupply:
    """No cluster: nothing is known of what is not there."""

    async def of(self, model: str) -> SupplyState | None:
        """Nothing."""
        return None
