"""`lumenmill up` while another terminal stops the mesh."""

import contextlib
from pathlib import Path

import pytest

from lumenmill_client.mesh import Home, MeshNotReadyError, MeshOptions, MeshStatus, start_mesh


@pytest.mark.parametrize(
    ("is_orderly", "words"),
    [(True, "the mesh was stopped while it started"), (False, "the supervisor of the mesh ended:\nout of luck")],
)
def test_a_start_ends_when_the_mesh_does(tmp_path: Path, is_orderly: bool, words: str) -> None:
    home = Home.at(tmp_path / "home")
    home.make()
    home.mesh_file.write_text('{"services": []}')
    home.log_file("supervisor").write_text("out of luck\n")
    seen: list[MeshStatus] = []
    with contextlib.ExitStack() as supervisor:
        assert supervisor.enter_context(home.supervising())

        def look(state: MeshStatus) -> None:
            seen.append(state)
            if is_orderly:
                home.mesh_file.unlink()
            supervisor.close()

        with pytest.raises(MeshNotReadyError) as ended:
            start_mesh(home, MeshOptions(), look)
    assert [state.running for state in seen] == [True]
    assert ended.value.message.startswith(words)
