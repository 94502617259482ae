"""What models that start from one picture share: it is the first frame."""

from PIL import Image

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_neural.catalogue import ModelEntry
from lumenmill_video.families.clip import Clip, Media, SourceShape
from lumenmill_video.families.clips import ClipFamily
from lumenmill_video.families.shape import fitted

__all__ = ["FirstFrameFamily"]


class FirstFrameFamily(ClipFamily):
    """A model that makes clips from words, or from a first frame; `needs` of a subclass may exclude one of them."""

    takes = frozenset({"image"})
    needs: tuple[str, ...] = ("prompt", "image")
    needs_text = "this model needs words or a picture; send one of them"

    @classmethod
    def continues(cls, entry: ModelEntry) -> bool:
        """See the base class."""
        return True

    def blank_media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": Image.new("RGB", clip.size_px, "gray")}

    def source_shape(self, request: GenerateVideoRequest) -> SourceShape:
        """Return the size of the first frame, if there is one."""
        return SourceShape(self.picture(request.image, "image").size) if request.HasField("image") else SourceShape()

    def media(self, clip: Clip) -> Media:
        """See the base class."""
        return {"image": fitted(self.picture(clip.request.image, "image"), clip.size_px)}
