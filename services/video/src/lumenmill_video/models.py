"""The models of the video service, without importing the libraries that run them."""

from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.weights import ServiceModels
from lumenmill_video.four_step import with_four_steps
from lumenmill_video.settings import VideoSettings

__all__ = ["MODELS"]

MODELS = ServiceModels(VideoSettings, lambda settings: with_four_steps(read_catalogue("lumenmill_video"), settings))
