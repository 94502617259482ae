"""Wrong settings end the start with one line that names the variable."""

import pytest
from lumenmill_common.settings import load_settings
from lumenmill_orchestrator.settings import OrchestratorSettings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LUMENMILL_MODELS", "{tiny: [1, 2]}"),
        ("LUMENMILL_DATABASE_URL", "mysql://x"),
        ("LUMENMILL_EXECUTOR_ID", "a/b"),
        ("LUMENMILL_NUM_ACTIVE_SHARDS", "0"),
    ],
)
def test_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(OrchestratorSettings)
    assert variable in str(ended.value)
