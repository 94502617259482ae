"""Serves video: settings → store → family → servicer → serve."""

from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings
from lumenmill_neural.host import ModelHost

from .families import VideoFamily, family_of
from .models import MODELS
from .servicer import VideoServicer
from .settings import VideoSettings


def video_service(settings: VideoSettings) -> Service:
    """Everything that the process serves."""
    host = ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings))
    return service_of(family_of(host, settings))


def service_of(family: VideoFamily) -> Service:
    """The video service around a family."""
    settings = family.settings
    jobs = jobs_from(settings, settings.model, max_batch_size=family.max_batch_size)
    add = video_pb2_grpc.add_VideoServiceServicer_to_server
    contract = Contract(video_pb2.DESCRIPTOR, "VideoService", add, VideoServicer(family, jobs))
    return Service(settings.model, [contract], model=family.describe, load=family.load, jobs=jobs)


def main() -> None:
    """Serve until a signal."""
    settings = load_settings(VideoSettings)
    serve(settings, video_service(settings))


if __name__ == "__main__":
    main()
