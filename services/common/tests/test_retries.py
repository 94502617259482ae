"""Which failed attempts are followed by another one, and how soon."""

import math
import time

import pytest

from lumenmill_common.errors import (
    InternalError,
    InvalidArgumentError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)
from lumenmill_common.retries import RetryPolicy, RetryState

_POLICY = RetryPolicy(
    {UnavailableError: math.inf, ResourceExhaustedError: math.inf, InternalError: 3},
    outage_timeout_s=600.0,
    max_outages=20,
)


def test_the_timeout_of_an_outage_starts_with_its_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock_s[0])
    state = RetryState(_POLICY)
    clock_s[0] = 3600.0  # an hour in the queue, and then the first broken connection
    assert state.record_failure(UnavailableError("broken", 0.0)) is not None
    clock_s[0] += 590.0
    state.answered()
    assert state.record_failure(UnavailableError("broken", 0.0)) is not None
    clock_s[0] += 590.0
    assert state.record_failure(UnavailableError("broken", 0.0)) is not None
    clock_s[0] += 20.0
    assert state.record_failure(UnavailableError("broken", 0.0)) is None


def test_excluded_time_does_not_count_as_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    clock_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock_s[0])
    state = RetryState(_POLICY)
    assert state.record_failure(UnavailableError("broken", 0.0)) is not None
    clock_s[0] += 1000.0
    state.exclude(900.0)
    assert state.record_failure(UnavailableError("broken", 0.0)) is not None


def test_a_full_queue_is_retried_without_limit_and_an_internal_error_twice() -> None:
    state = RetryState(_POLICY)
    assert all(state.record_failure(ResourceExhaustedError("full", 0.5)) is not None for _ in range(50))
    assert [state.record_failure(InternalError("x")) is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize("error", [ResourceExhaustedError("too large", 0.0), InvalidArgumentError("prompt", "no")])
def test_permanent_failures_are_not_retried(error: LumenmillError) -> None:
    assert RetryState(_POLICY).record_failure(error) is None


def test_a_job_that_crashes_its_service_every_time_is_given_up() -> None:
    state = RetryState(_POLICY)
    for _ in range(20):
        state.answered()
        assert state.record_failure(UnavailableError("gone")) is not None
    state.answered()
    assert state.record_failure(UnavailableError("gone")) is None


def test_delays_grow_to_a_maximum_and_respect_the_requested_one() -> None:
    delays_s = [_POLICY.backoff_s(number, InternalError("x")) for number in (1, 2, 3, 30)]
    for delay_s, expected_s in zip(delays_s, (0.2, 0.4, 0.8, 15.0), strict=True):
        assert 0.8 * expected_s <= delay_s <= 1.2 * expected_s
    assert _POLICY.backoff_s(1, UnavailableError("later", retry_delay_s=60.0)) >= 0.8 * 60.0
