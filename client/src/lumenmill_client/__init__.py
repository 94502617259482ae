"""Typed client of the Lumenmill mesh. Start with `Client` (blocking) or `AsyncClient` (asyncio)."""

from lumenmill_client._async_client import AsyncClient
from lumenmill_client._client import Client
from lumenmill_client._dataset_folder import SavedDataset
from lumenmill_client._settings import ClientSettings

__all__ = ["AsyncClient", "Client", "ClientSettings", "SavedDataset"]
