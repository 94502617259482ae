"""Starts the orchestrator."""

from lumenmill_common.serve import serve
from lumenmill_common.settings import load_settings
from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings


def main() -> None:
    """Serve until SIGTERM."""
    serve(load_settings(OrchestratorSettings), orchestrator_service)


if __name__ == "__main__":
    main()
