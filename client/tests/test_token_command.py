"""`lumenmill token`: what it prints is a line of a table that lets the caller in."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lumenmill_client.command._main import app
from lumenmill_common.authentication import Authenticator
from lumenmill_common.caller import Caller, role_name
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.settings import SecuritySettings


def _line(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["token", *arguments])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_token_and_its_line_let_the_caller_in(tmp_path: Path) -> None:
    file, table = tmp_path / "alice.token", tmp_path / "callers"
    line = _line("alice", "--role", "submitter", "--to", str(file))
    table.write_text(line + _line("bob", "--role", "reader", "--to", str(tmp_path / "bob.token")))
    token = file.read_text().strip()
    assert token not in line
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    caller: Caller = Authenticator(SecuritySettings(callers_file=table)).caller({"authorization": f"Bearer {token}"})
    assert (caller.name, role_name(caller.role)) == ("alice", "submitter")


@pytest.mark.parametrize(("name", "role"), [("alice", "root"), ("", "admin"), ("a b", "admin")])
def test_a_wrong_name_or_role_is_refused_and_no_file_is_written(tmp_path: Path, name: str, role: str) -> None:
    with pytest.raises(InvalidArgumentError):
        _line(name, "--role", role, "--to", str(tmp_path / "token"))
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("of somebody")
    with pytest.raises(InvalidArgumentError, match="cannot be created"):
        _line("alice", "--role", "admin", "--to", str(file))
    assert file.read_text() == "of somebody"
