"""The mesh of one machine goes on while the disk of its state folder is full."""

import asyncio
from pathlib import Path

from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions
from lumenmill_client.mesh._supervisor import _Supervisor
from lumenmill_common.testing import eventually
from lumenmill_common.testing.small_disk import fill_files, small_disk


async def test_a_supervisor_publishes_the_state_once_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path, "64k") as disk:
        home = Home.at(disk)
        home.make()
        supervisor = _Supervisor(home, MeshOptions())
        ballast = fill_files(disk)
        publishing = asyncio.create_task(supervisor._publish())
        await asyncio.sleep(0)  # its first round
        assert not publishing.done() and not home.mesh_file.exists()
        ballast.unlink()
        await eventually(home.mesh_file.exists)
        supervisor._stop.set()
        await publishing
