"""What every family of the video service is: it makes clips, or decomposes them."""

from collections.abc import Iterable, Sequence

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.generation_pb2 import GenerationRecord
from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.video.v1 import video_pb2
from lumenmill_common.errors import UnimplementedError
from lumenmill_common.families import Family
from lumenmill_common.jobs import BatchWork
from lumenmill_media import Limits
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.host import ModelHost
from lumenmill_video.settings import VideoSettings

__all__ = ["IMAGES_PER_CLIP", "VideoFamily", "add_licences"]

IMAGES_PER_CLIP = 5
"""The number of images that a clip counts as in `batch_size`."""


class VideoFamily(Family):
    """A model behind the video contract."""

    text_input: TextInput.ValueType = TextInput.TEXT_INPUT_UNSPECIFIED
    """Kind of text that the model was trained on; unspecified for models that make no clips."""

    def __init__(self, host: ModelHost, settings: VideoSettings, continuing: Sequence[str] = ()) -> None:
        """`continuing` are the models of the service that continue clips, which refusals of others name."""
        self.host, self.settings, self.continuing = host, settings, continuing

    @classmethod
    def continues(cls, entry: ModelEntry) -> bool:
        """Return whether the last frame of a clip can be the first one of the next."""
        return False

    @property
    def max_batch_size(self) -> int:
        """Maximum number of clips in one call of the pipeline."""
        requested = -(-self.settings.batch_size // IMAGES_PER_CLIP)
        return min(requested or self.host.max_batch_size, self.host.max_batch_size)

    @property
    def limits(self) -> Limits:
        """Limits on media."""
        return Limits(self.settings.max_media_bytes, self.settings.max_media_pixels)

    def generate_video(self, request: video_pb2.GenerateVideoRequest) -> BatchWork:
        """Return a clip as work. Reads media, so it blocks.

        Raises:
            InvalidArgumentError: the model cannot do what the request asks for; names the field.
            UnimplementedError: the model makes no clips.
        """
        raise UnimplementedError(f"{self.host.entry.title} makes no clips; it decomposes them")

    def decompose_video(self, request: video_pb2.DecomposeVideoRequest) -> BatchWork:
        """Return the maps of a clip as work; errors as `generate_video`."""
        raise UnimplementedError(f"{self.host.entry.title} does not decompose clips; it makes them")


def add_licences(record: GenerationRecord, media: Iterable[Artifact]) -> None:
    """Add the licences that a request states for its media."""
    for artifact in media:
        if artifact.HasField("licence") and artifact.licence not in record.licences:
            record.licences.append(artifact.licence)
