"""Processes of the mesh of one machine do not run files of the folder in which a user starts it."""

from pathlib import Path

import pytest

from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._services import MeshOptions, ServiceSpec
from lumenmill_client.mesh._supervisor import _Child, _Supervisor


async def test_files_of_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path / "home")
    home.make()
    (tmp_path / "datetime.py").write_text("raise SystemExit('the file of a user')")
    monkeypatch.chdir(tmp_path)
    # A program of the standard library that imports `datetime`, prints and ends.
    child = _Child(ServiceSpec("calendar", "calendar"))
    await _Supervisor(home, MeshOptions())._run_once(child)
    log = home.log_file("calendar").read_text()
    assert "January" in log and "the file of a user" not in log
