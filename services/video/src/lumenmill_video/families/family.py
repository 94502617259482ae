"""What the service asks of a family."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.generation_pb2 import GenerationRecord
from lumenmill.common.v1.model_pb2 import Model
from lumenmill.video.v1 import video_pb2
from lumenmill_common.errors import UnimplementedError
from lumenmill_common.jobs import BatchWork
from lumenmill_media import Limits
from lumenmill_neural.host import ModelHost

from lumenmill_video.settings import VideoSettings

__all__ = ["IMAGES_PER_CLIP", "VideoFamily", "add_licences"]

IMAGES_PER_CLIP = 5
"""How many images a clip weighs as in a batch."""


class VideoFamily(ABC):
    """A model behind the video contract."""

    def __init__(self, host: ModelHost, settings: VideoSettings) -> None:
        self.host, self.settings = host, settings

    @property
    def max_batch_size(self) -> int:
        """Clips of one run."""
        wanted = -(-self.settings.batch_size // IMAGES_PER_CLIP)
        return min(wanted or self.host.max_batch_size, self.host.max_batch_size)

    @property
    def limits(self) -> Limits:
        """Of media."""
        return Limits(self.settings.max_media_bytes, self.settings.max_media_pixels)

    @abstractmethod
    def load(self) -> None:
        """Loads the weights and makes something small, which compiles and tunes what is to be.

        Raises:
            FailedPreconditionError: the checkpoint is missing, damaged, or of another model.
        """

    @abstractmethod
    def describe(self) -> Model:
        """The model for GetModel."""

    def generate_video(self, request: video_pb2.GenerateVideoRequest) -> BatchWork:
        """A clip to make, as work for the queue. Opens media, so that it may block.

        Raises:
            InvalidArgumentError: the model cannot do what the request asks for; names the field.
            UnimplementedError: the model makes no clips.
        """
        raise UnimplementedError(f"{self.host.entry.title} makes no clips; it takes them apart")

    def decompose_video(self, request: video_pb2.DecomposeVideoRequest) -> BatchWork:
        """A clip to take apart; as `generate_video`."""
        raise UnimplementedError(f"{self.host.entry.title} takes no clips apart; it makes them")


def add_licences(record: GenerationRecord, media: Iterable[Artifact]) -> None:
    """Adds the terms of media that came from outside."""
    for artifact in media:
        if artifact.HasField("licence") and artifact.licence not in record.licences:
            record.licences.append(artifact.licence)
