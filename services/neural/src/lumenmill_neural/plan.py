"""How one request is worked on."""

from dataclasses import dataclass, replace
from typing import Any

from lumenmill_neural.catalogue import Arguments, PresetEntry

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """How one request is worked on: a preset, and all arguments in effect."""

    preset_name: str
    preset: PresetEntry
    arguments: Arguments
    peak_memory_bytes: int = 0
    """Largest use of the device's memory; known once it was run."""

    def with_arguments(self, **changed: Any) -> "Plan":
        """The same with some arguments as the request has them; those that are None stay as they are."""
        given = {name: value for name, value in changed.items() if value is not None}
        return replace(self, arguments=self.arguments | given)

    @property
    def key(self) -> str:
        """Equal for requests that can be worked on together."""
        return repr((self.preset_name, sorted(self.arguments.items())))
