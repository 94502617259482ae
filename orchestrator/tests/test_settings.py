"""Invalid settings end the start with one line that names the variable."""

from pathlib import Path

import pytest

from lumenmill_common.settings import load_settings
from lumenmill_orchestrator.settings import OrchestratorSettings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LUMENMILL_MODELS", "{tiny: [1, 2]}"),
        ("LUMENMILL_DATABASE_URL", "mysql://x"),
        ("LUMENMILL_EXECUTOR_ID", "a/b"),
        ("LUMENMILL_NUM_ACTIVE_BATCHES", "0"),
    ],
)
def test_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as exited:
        load_settings(OrchestratorSettings)
    assert variable in str(exited.value)


def test_the_url_of_the_database_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://mill:s3cret@db/mill\n")
    monkeypatch.setenv("LUMENMILL_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert load_settings(OrchestratorSettings).database_url == "postgresql://mill:s3cret@db/mill"
    monkeypatch.setenv("LUMENMILL_DATABASE_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match=r"LUMENMILL_DATABASE_URL_FILE .*/none cannot be read"):
        load_settings(OrchestratorSettings)
