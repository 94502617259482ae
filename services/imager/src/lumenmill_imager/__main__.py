"""Serves the imager: settings → store → family → servicer → serve."""

from lumenmill.imager.v1 import imager_pb2, imager_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings

from .families import family_of
from .models import MODELS
from .servicer import ImagerServicer


def imager_service(settings: NeuralSettings) -> Service:
    """Everything that the process serves."""
    return service_of(ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings)))


def service_of(host: ModelHost) -> Service:
    """The imager around a host."""
    settings, family = host.settings, family_of(host)
    jobs = jobs_from(settings, settings.model, max_batch_size=family.host.tier.max_batch_size)
    add = imager_pb2_grpc.add_ImagerServiceServicer_to_server
    contract = Contract(imager_pb2.DESCRIPTOR, "ImagerService", add, ImagerServicer(family, jobs))
    return Service(settings.model, [contract], model=family.describe, load=family.load, jobs=jobs)


def main() -> None:
    """Serve until a signal."""
    settings = load_settings(NeuralSettings)
    serve(settings, imager_service(settings))


if __name__ == "__main__":
    main()
