"""Serves the relighter: settings → model host → family → serve."""

from lumenmill.relighter.v1 import relighter_pb2
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.service import Service
from lumenmill_common.settings import load_settings
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings
from lumenmill_relighter.families import family_of
from lumenmill_relighter.models import MODELS

__all__ = ["relighter_service"]


def relighter_service(settings: NeuralSettings) -> Service:
    """Return everything that the process serves."""
    host = ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings))
    jobs = jobs_from(settings, settings.model, max_batch_size=host.max_queued_batch_size)
    return family_service(family_of(host), jobs, relighter_pb2.DESCRIPTOR)


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_settings(NeuralSettings), relighter_service)


if __name__ == "__main__":
    main()
