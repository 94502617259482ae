"""The `lumenmill` command."""

from lumenmill_client.command._main import main

__all__ = ["main"]
