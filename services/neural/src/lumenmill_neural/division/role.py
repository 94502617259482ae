"""What a host asks of its part in a division."""

from collections.abc import Sequence
from typing import Any, Protocol

from lumenmill.common.v1.sampling_pb2 import Adapter

from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.device import Device

__all__ = ["Role"]


class Role(Protocol):
    """The leader of a division, or one of its members."""

    def begin(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        """The pipeline is about to be loaded from a folder."""

    def divide(self, denoiser: Any) -> None:
        """From now on the denoiser's calls are made together."""

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        """The pipeline was made ready for a preset of the entry and for adapters of a request."""
