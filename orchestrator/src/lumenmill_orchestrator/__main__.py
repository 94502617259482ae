"""Starts the orchestrator."""

from lumenmill_common.serve import serve
from lumenmill_common.settings import load_settings

from lumenmill_orchestrator.service import orchestrator_service
from lumenmill_orchestrator.settings import OrchestratorSettings


def main() -> None:
    """Settings → service → serve."""
    settings = load_settings(OrchestratorSettings)
    serve(settings, orchestrator_service(settings))


if __name__ == "__main__":
    main()
