"""Serves video: settings → model host → family → serve."""

from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.service import Service
from lumenmill_common.settings import load_settings
from lumenmill_neural.host import ModelHost
from lumenmill_video.families import family_of
from lumenmill_video.models import MODELS
from lumenmill_video.settings import VideoSettings

__all__ = ["video_service"]


def video_service(settings: VideoSettings) -> Service:
    """Return everything that the process serves."""
    family = family_of(ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings)), settings)
    jobs = jobs_from(settings, settings.model, max_batch_size=family.max_batch_size)
    return family_service(family, jobs, video_pb2.DESCRIPTOR)


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_settings(VideoSettings), video_service)


if __name__ == "__main__":
    main()
