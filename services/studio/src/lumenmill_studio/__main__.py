"""Serves studio: settings → store → family → serve."""

from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.service import Service
from lumenmill_common.settings import load_settings
from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes
from lumenmill_studio.settings import StudioSettings

__all__ = ["studio_service"]


def studio_service(settings: StudioSettings) -> Service:
    """Return three contracts, one family and one queue."""
    family = MitsubaScenes(settings, open_store_from(settings))
    contracts = imager_pb2.DESCRIPTOR, relighter_pb2.DESCRIPTOR, video_pb2.DESCRIPTOR
    return family_service(family, jobs_from(settings, "studio"), *contracts)


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_settings(StudioSettings), studio_service)


if __name__ == "__main__":
    main()
