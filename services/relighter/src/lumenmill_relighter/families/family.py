"""What every family of the relighter is: it relights pictures, or decomposes them."""

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_common.errors import UnimplementedError
from lumenmill_common.families import Family
from lumenmill_common.jobs import BatchWork
from lumenmill_media import Limits
from lumenmill_neural.host import ModelHost

__all__ = ["RelighterFamily"]


class RelighterFamily(Family):
    """A model behind the relighter contract."""

    text_input: TextInput.ValueType = TextInput.TEXT_INPUT_UNSPECIFIED
    """Kind of text that the model was trained on; unspecified for models that make no pictures."""

    def __init__(self, host: ModelHost) -> None:
        self.host = host
        self.limits = Limits(max_bytes=host.settings.max_media_bytes, max_pixels=host.settings.max_media_pixels)

    def relight(self, request: relighter_pb2.RelightRequest) -> BatchWork:
        """Return the variants of a picture as work. Reads media, so it blocks.

        Raises:
            InvalidArgumentError: the model cannot do what the request asks for; names the field.
            UnimplementedError: the model does not relight.
        """
        raise UnimplementedError(f"{self.host.name} decomposes pictures and does not relight them")

    def decompose(self, request: relighter_pb2.DecomposeRequest) -> BatchWork:
        """Return the maps of a picture as work. Reads media, so it blocks.

        Raises:
            InvalidArgumentError: the model cannot do what the request asks for; names the field.
            UnimplementedError: the model does not decompose.
        """
        raise UnimplementedError(f"{self.host.name} relights pictures and has no intrinsic maps")
