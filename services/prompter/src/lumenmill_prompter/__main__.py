"""Serves the prompter: settings → family → servicer → serve."""

from lumenmill.prompter.v1 import prompter_pb2, prompter_pb2_grpc
from lumenmill_common.jobs import JobQueue, jobs_from
from lumenmill_common.serve import Contract, Service, serve
from lumenmill_common.settings import load_settings

from .families import Family, family_from
from .servicer import PrompterServicer
from .settings import PrompterSettings


def service_of(family: Family, jobs: JobQueue) -> Service:
    """Return everything that the process serves."""
    contract = Contract(
        prompter_pb2.DESCRIPTOR,
        "PrompterService",
        prompter_pb2_grpc.add_PrompterServiceServicer_to_server,
        PrompterServicer(family, jobs),
    )
    return Service("prompter", [contract], model=family.describe, load=family.load, jobs=jobs)


def main() -> None:
    """Serve until a signal."""
    settings = load_settings(PrompterSettings)
    serve(settings, service_of(family_from(settings), jobs_from(settings, name="prompter")))


if __name__ == "__main__":
    main()
