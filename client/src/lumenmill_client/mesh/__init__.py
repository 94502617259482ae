"""The local mesh: child processes of one supervisor, with their state in one folder, `home`."""

from lumenmill_client.mesh._control import (
    MeshNotReadyError,
    MeshStatus,
    ServiceStatus,
    find_local_address,
    local_address,
    no_mesh_error,
    start_mesh,
    status,
    stop_mesh,
)
from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions

__all__ = [
    "Home",
    "MeshNotReadyError",
    "MeshOptions",
    "MeshStatus",
    "ServiceStatus",
    "find_local_address",
    "local_address",
    "no_mesh_error",
    "start_mesh",
    "status",
    "stop_mesh",
]
