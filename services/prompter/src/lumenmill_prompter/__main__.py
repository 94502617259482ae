"""Serves the prompter: settings → family → serve."""

from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.families import family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.serve import serve
from lumenmill_common.service import Service
from lumenmill_common.settings import load_settings
from lumenmill_prompter.families import family_from
from lumenmill_prompter.settings import PrompterSettings

__all__ = ["prompter_service"]


def prompter_service(settings: PrompterSettings) -> Service:
    """Return everything that the process serves."""
    return family_service(family_from(settings), jobs_from(settings, "prompter"), prompter_pb2.DESCRIPTOR)


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_settings(PrompterSettings), prompter_service)


if __name__ == "__main__":
    main()
