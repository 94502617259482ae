"""What every family of the relighter is: something that loads, describes itself, relights or decomposes."""

from abc import ABC, abstractmethod

from lumenmill.common.v1.model_pb2 import Model
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_common.errors import UnavailableError, UnimplementedError
from lumenmill_common.jobs import BatchWork
from lumenmill_media import Limits
from lumenmill_neural.host import ModelHost

__all__ = ["RelighterFamily"]


class RelighterFamily(ABC):
    """A model behind the relighter contract. What it cannot do is UNIMPLEMENTED, and GetModel says so."""

    def __init__(self, host: ModelHost) -> None:
        self.host = host
        self.limits = Limits(max_bytes=host.settings.max_media_bytes, max_pixels=host.settings.max_media_pixels)
        self._is_loaded = False

    def load(self) -> None:
        """Loads the weights and makes something small, which compiles and tunes what is to be."""
        self.load_weights()
        self._is_loaded = True

    def describe(self) -> Model:
        """The model for GetModel.

        Raises:
            UnavailableError: it is not loaded yet.
        """
        if not self._is_loaded:
            raise UnavailableError("the model is being loaded")
        return self.description()

    @abstractmethod
    def load_weights(self) -> None:
        """Loads and warms up."""

    @abstractmethod
    def description(self) -> Model:
        """The loaded model for GetModel."""

    def relight(self, request: relighter_pb2.RelightRequest) -> BatchWork:
        """A request for variants as work for the queue. Reads its media, so that it blocks.

        Raises:
            InvalidArgumentError: the model cannot do what it asks for; names the field.
            UnimplementedError: it does not relight.
        """
        raise UnimplementedError(f"{self.host.name} takes pictures apart and does not relight them")

    def decompose(self, request: relighter_pb2.DecomposeRequest) -> BatchWork:
        """A request for maps as work for the queue. Reads its media, so that it blocks.

        Raises:
            InvalidArgumentError: the model cannot do what it asks for; names the field.
            UnimplementedError: it does not decompose.
        """
        raise UnimplementedError(f"{self.host.name} relights pictures and has no intrinsic maps")
