"""Typed client of the Lumenmill mesh. Start with `Client` (blocking) or `AsyncClient` (asyncio)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lumenmill_client._async_client import AsyncClient
    from lumenmill_client._client import Client
    from lumenmill_client._dataset_folder import SavedDataset
    from lumenmill_client._settings import ClientSettings

__all__ = ["AsyncClient", "Client", "ClientSettings", "SavedDataset"]

_MODULES = {
    "AsyncClient": "lumenmill_client._async_client",
    "Client": "lumenmill_client._client",
    "ClientSettings": "lumenmill_client._settings",
    "SavedDataset": "lumenmill_client._dataset_folder",
}


def __getattr__(name: str) -> Any:
    """Import a class when it is first used: the command handles Ctrl-C before the imports, which take a second."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
