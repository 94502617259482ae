"""The parts of studio put together."""

from __future__ import annotations

from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill.video.v1 import video_pb2, video_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import Contract, Service

from lumenmill_studio.families.mitsuba_scenes import MitsubaScenes
from lumenmill_studio.servicers.imager import ImagerServicer
from lumenmill_studio.servicers.relighter import RelighterServicer
from lumenmill_studio.servicers.video import VideoServicer
from lumenmill_studio.settings import StudioSettings

NAME = "studio"


def studio_service(settings: StudioSettings) -> Service:
    """Three contracts, one family, one queue."""
    family = MitsubaScenes(settings, open_store_from(settings))
    jobs = jobs_from(settings, NAME)
    contracts = [
        Contract(
            imager_pb2.DESCRIPTOR,
            "ImagerService",
            imager_pb2_grpc.add_ImagerServiceServicer_to_server,
            ImagerServicer(family, jobs),
        ),
        Contract(
            relighter_pb2.DESCRIPTOR,
            "RelighterService",
            relighter_pb2_grpc.add_RelighterServiceServicer_to_server,
            RelighterServicer(family, jobs),
        ),
        Contract(
            video_pb2.DESCRIPTOR,
            "VideoService",
            video_pb2_grpc.add_VideoServiceServicer_to_server,
            VideoServicer(family, jobs),
        ),
    ]
    return Service(NAME, contracts, model=family.describe, load=family.load, jobs=jobs)
