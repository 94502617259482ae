"""Families of the video service, by their name in presets.yaml."""

from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.families import family_type
from lumenmill_neural.host import ModelHost
from lumenmill_video.families.family import VideoFamily
from lumenmill_video.families.ltx import LtxVideo
from lumenmill_video.families.marigold import MarigoldClips
from lumenmill_video.families.modelscope import ModelScope
from lumenmill_video.families.svd import StableVideoDiffusion
from lumenmill_video.families.wan22_i2v import Wan22ImageToVideo
from lumenmill_video.families.wan_i2v import WanImageToVideo
from lumenmill_video.families.wan_t2v import WanTextToVideo
from lumenmill_video.families.wan_ti2v import WanTextAndImageToVideo
from lumenmill_video.families.wan_vace import WanVace
from lumenmill_video.four_step import with_four_steps
from lumenmill_video.settings import VideoSettings

__all__ = ["FAMILIES", "VideoFamily", "family_of", "with_four_steps"]

FAMILIES: dict[str, type[VideoFamily]] = {
    "wan_t2v": WanTextToVideo,
    "wan_i2v": WanImageToVideo,
    "wan22_i2v": Wan22ImageToVideo,
    "wan_ti2v": WanTextAndImageToVideo,
    "wan_vace": WanVace,
    "ltx": LtxVideo,
    "svd": StableVideoDiffusion,
    "modelscope": ModelScope,
    "marigold": MarigoldClips,
}


def family_of(host: ModelHost, settings: VideoSettings) -> VideoFamily:
    """Return the family of the model of a host.

    Raises:
        FailedPreconditionError: the service has no family of the name in the entry.
    """
    return family_type(host, FAMILIES)(host, settings, _continuing())


def _continuing() -> tuple[str, ...]:
    """Return the models of the service that continue clips."""
    known = read_catalogue("lumenmill_video")
    return tuple(name for name, entry in known.items() if FAMILIES[entry.family].continues(entry))
