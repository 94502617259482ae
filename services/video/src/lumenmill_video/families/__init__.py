"""Model families, by the name that presets.yaml gives them. A new one is a file here and an entry there."""

from lumenmill_neural.host import ModelHost

from lumenmill_video.four_step import with_four_steps
from lumenmill_video.settings import VideoSettings

from ._family import VideoFamily
from .marigold import MarigoldClips
from .modelscope import ModelScope
from .svd import StableVideoDiffusion
from .wan_i2v import WanImageToVideo
from .wan_t2v import WanTextToVideo
from .wan_vace import WanVace

__all__ = ["FAMILIES", "VideoFamily", "family_of", "with_four_steps"]

FAMILIES: dict[str, type[VideoFamily]] = {
    "wan_t2v": WanTextToVideo,
    "wan_i2v": WanImageToVideo,
    "wan_vace": WanVace,
    "svd": StableVideoDiffusion,
    "modelscope": ModelScope,
    "marigold": MarigoldClips,
}


def family_of(host: ModelHost, settings: VideoSettings) -> VideoFamily:
    """The family of the model that a host hosts."""
    return FAMILIES[host.entry.family](host, settings)
