"""Serves the captioner: settings → family → serve."""

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill_captioner.families import family_from, load_family_settings
from lumenmill_captioner.settings import CaptionerSettings
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.service import Service

__all__ = ["captioner_service"]


def captioner_service(settings: CaptionerSettings) -> Service:
    """Return everything that the process serves.

    Raises:
        FailedPreconditionError: the family has no such model.
    """
    return family_service(family_from(settings), jobs_from(settings, "captioner"), captioner_pb2.DESCRIPTOR)


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_family_settings(), captioner_service)


if __name__ == "__main__":
    main()
