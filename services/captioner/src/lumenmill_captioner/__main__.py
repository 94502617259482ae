"""Serves the captioner: settings → store → family → servicer → serve."""

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.jobs import JobQueue, jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings

from .families import Family, PhotometricFamily
from .servicer import CaptionerServicer
from .settings import CaptionerSettings


def service_of(family: Family, jobs: JobQueue) -> Service:
    """Return everything that the process serves."""
    contract = Contract(
        captioner_pb2.DESCRIPTOR,
        "CaptionerService",
        captioner_pb2_grpc.add_CaptionerServiceServicer_to_server,
        CaptionerServicer(family, jobs),
    )
    return Service("captioner", [contract], model=family.describe, load=family.load, jobs=jobs)


def main() -> None:
    """Serve until a signal."""
    settings = load_settings(CaptionerSettings)
    family = PhotometricFamily(open_store_from(settings), settings.limits(), settings.num_clip_samples)
    serve(settings, service_of(family, jobs_from(settings, name="captioner")))


if __name__ == "__main__":
    main()
