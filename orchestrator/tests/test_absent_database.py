"""The database stays away for longer than anybody waits for it at one place."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.storage import ExecutionStore, RunStore, database
from lumenmill_orchestrator.walk import durable

from .conftest import House
from .recipes import SMALL


def _away_at_first(method: Callable[..., Any], num_times: int) -> Callable[..., Any]:
    left = [num_times]

    def called(*arguments: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise sa.exc.OperationalError("", {}, ConnectionError("away"))
        return method(*arguments, **more)

    return called


@pytest.mark.parametrize(
    ("store", "method"),
    [
        (RunStore, "ended_chains"),
        (RunStore, "change_state"),
        (ExecutionStore, "results"),
        (ExecutionStore, "of_chain"),
        (ExecutionStore, "one"),
    ],
)
async def test_a_run_goes_on_when_the_database_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch, store: type, method: str
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(durable, "_DATABASE_PAUSE_S", 0.05)
    monkeypatch.setattr(store, method, _away_at_first(getattr(store, method), 3))
    run = await house.run(SMALL)
    assert (run.state, run.num_samples_accepted, run.num_chains_done) == (run_pb2.RUN_STATE_COMPLETED, 9, 3)
