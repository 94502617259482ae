"""What `ModelHost` asks of the role of its process: rank 0 or another rank."""

from collections.abc import Sequence
from typing import Any, Protocol

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.device import Device

__all__ = ["Role"]


class Role(Protocol):
    """Rank 0, or another rank."""

    def begin_loading(self, pipeline_class: Any, folder: str, entry: ModelEntry, device: Device) -> None:
        """Prepare for a pipeline that is about to be loaded from a folder."""

    def parallelise(self, denoiser: Any) -> None:
        """Compute the denoiser's calls together with the other ranks from now on."""

    def prepare(self, preset: str, adapters: Sequence[Adapter]) -> None:
        """Prepare for a preset of the entry and the adapters of a request."""
