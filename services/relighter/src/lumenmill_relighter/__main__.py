"""Serves the relighter: settings → store → family → servicer → serve."""

from lumenmill.relighter.v1 import relighter_pb2, relighter_pb2_grpc
from lumenmill_common.artifacts import open_store_from
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings
from lumenmill_neural.host import ModelHost
from lumenmill_neural.settings import NeuralSettings

from .families import family_of
from .models import MODELS
from .servicer import RelighterServicer


def relighter_service(settings: NeuralSettings) -> Service:
    """Everything that the process serves."""
    family = family_of(ModelHost(settings, open_store_from(settings), MODELS.catalogue(settings)))
    jobs = jobs_from(settings, settings.model, max_batch_size=family.host.tier.max_batch_size)
    add = relighter_pb2_grpc.add_RelighterServiceServicer_to_server
    contract = Contract(relighter_pb2.DESCRIPTOR, "RelighterService", add, RelighterServicer(family, jobs))
    return Service(settings.model, [contract], model=family.describe, load=family.load, jobs=jobs)


def main() -> None:
    """Serve until a signal."""
    settings = load_settings(NeuralSettings)
    serve(settings, relighter_service(settings))


if __name__ == "__main__":
    main()
