"""When a failed call is made again."""

import time

import pytest
from lumenmill_common.errors import (
    InternalError,
    InvalidArgumentError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_orchestrator.walk.patience import Patience


def _set_clock(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])


def test_an_outage_is_counted_from_its_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    _set_clock(clock, monkeypatch)
    patience = Patience(600.0)
    clock[0] = 3600.0  # an hour in the queue, and then the first broken connection
    assert patience.delay_s(UnavailableError("broken", 0.0)) is not None
    clock[0] += 590.0
    patience.news()
    assert patience.delay_s(UnavailableError("broken", 0.0)) is not None
    clock[0] += 590.0
    assert patience.delay_s(UnavailableError("broken", 0.0)) is not None
    clock[0] += 20.0
    assert patience.delay_s(UnavailableError("broken", 0.0)) is None


def test_a_full_queue_costs_no_attempts() -> None:
    patience = Patience(600.0)
    assert all(patience.delay_s(ResourceExhaustedError("full", 0.5)) is not None for _ in range(50))
    assert [patience.delay_s(InternalError("x")) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("error", [ResourceExhaustedError("too large", 0.0), InvalidArgumentError("prompt", "no")])
def test_what_cannot_pass_is_not_tried_again(error: LumenmillError) -> None:
    assert Patience(600.0).delay_s(error) is None


def test_a_job_that_brings_its_service_down_every_time_is_given_up() -> None:
    patience = Patience(600.0)
    for _ in range(20):
        patience.news()
        assert patience.delay_s(UnavailableError("gone")) is not None
    patience.news()
    assert patience.delay_s(UnavailableError("gone")) is None
