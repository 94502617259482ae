"""The whole mesh on this machine, as child processes of one supervisor. State lies in one folder, `home`."""

from lumenmill_client.mesh._control import MeshStatus, ServiceStatus, bring_up, local_address, status, take_down
from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions

__all__ = [
    "Home",
    "MeshOptions",
    "MeshStatus",
    "ServiceStatus",
    "bring_up",
    "local_address",
    "status",
    "take_down",
]
