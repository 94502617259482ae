"""The plan of a request."""

from dataclasses import dataclass, replace
from typing import Any

from lumenmill_neural.catalogue import Arguments, PresetEntry

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """How a request is executed: its preset, and all arguments in effect."""

    preset_name: str
    preset: PresetEntry
    arguments: Arguments
    peak_memory_bytes: int = 0
    """Peak use of the device's memory; known after the execution."""

    def with_arguments(self, **changed: Any) -> "Plan":
        """Return the plan with some arguments changed; those that are None keep their value."""
        given = {name: value for name, value in changed.items() if value is not None}
        return replace(self, arguments=self.arguments | given)

    @property
    def key(self) -> str:
        """Equal for requests that can be executed in one batch."""
        return repr((self.preset_name, sorted(self.arguments.items())))
