"""Serves studio: settings → family → servicers → serve."""

from __future__ import annotations

from lumenmill_common.serve import serve
from lumenmill_common.settings import load_settings

from lumenmill_studio.service import studio_service
from lumenmill_studio.settings import StudioSettings


def main() -> None:
    """Run until SIGTERM."""
    settings = load_settings(StudioSettings)
    serve(settings, studio_service(settings))


if __name__ == "__main__":
    main()
