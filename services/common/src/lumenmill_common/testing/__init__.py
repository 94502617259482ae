"""For tests: services on port 0, in this process or in one of their own, and waiting without bare sleeps."""

from lumenmill_common.testing.processes import ServiceProcess, free_port, running_process, start_process
from lumenmill_common.testing.servers import running_family, running_service
from lumenmill_common.testing.waiting import eventually

__all__ = [
    "ServiceProcess",
    "eventually",
    "free_port",
    "running_family",
    "running_process",
    "running_service",
    "start_process",
]
