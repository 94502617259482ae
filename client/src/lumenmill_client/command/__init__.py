"""The `lumenmill` command."""

import sys
from importlib import import_module

__all__ = ["main"]


def main() -> None:
    """Run the command and exit with one of its exit codes; Ctrl-C is quiet, also during the imports."""
    try:
        import_module("lumenmill_client.command._main").main()
    except KeyboardInterrupt:
        sys.exit(130)
