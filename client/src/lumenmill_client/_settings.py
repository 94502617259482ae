"""Where the mesh is and how to prove who we are."""

from pathlib import Path

from lumenmill_common.settings import SecuritySettings
from pydantic import Field

__all__ = ["ClientSettings"]


class ClientSettings(SecuritySettings):
    """What a client reads. Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    address: str = Field(
        default="",
        description="host:port of the orchestrator. Empty: that of the mesh that `lumenmill up` started in `home`.",
    )
    home: Path = Field(default=Path(".lumenmill"), description="State of the mesh on this machine.")
