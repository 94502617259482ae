"""The work that a family returns for a request: done alone, or as one batch with equal requests."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar

from google.protobuf.message import Message

from lumenmill_common.cancellation import cancelled_by
from lumenmill_common.errors import InternalError, LumenmillError
from lumenmill_common.job import JobContext

__all__ = ["BatchWork", "DeferredWork", "Outcome", "Work", "execute_batch", "in_worker", "internal_error"]

FamilyT = TypeVar("FamilyT")
RequestT = TypeVar("RequestT", bound=Message)


@dataclass(frozen=True)
class DeferredWork:
    """The part of a job that needs no device: encoding and storing of a result.

    `run` blocks in another thread and returns the result message, while the worker computes the next batch.
    """

    run: Callable[[], Message]


# The outcome of one job of a batch.
Outcome = Message | DeferredWork | LumenmillError


@dataclass(frozen=True)
class BatchWork:
    """Work of a family that can compute several requests at once.

    `run_batch` is called with the payloads of waiting jobs whose `key` is equal, at most `max_batch_size` of them. It
    returns one outcome for each payload, in order; an exception as an outcome fails only that job.
    """

    key: Hashable
    payload: Any
    run_batch: Callable[[Sequence[Any], Sequence[JobContext]], Sequence[Outcome]]
    estimate_s: float | None = None
    """Seconds that this work takes alone, if the family knows: requests with a nearer deadline are refused at once."""


@dataclass(frozen=True)
class Work:
    """Work that is done alone: `run` blocks in the worker thread and returns the result message."""

    run: Callable[[JobContext], Message]

    def as_batch(self) -> BatchWork:
        """Return the same work as a batch that no other job can join."""
        return BatchWork(key=object(), payload=self.run, run_batch=lambda runs, jobs: [runs[0](jobs[0])])


def in_worker(
    run: Callable[[FamilyT, RequestT, JobContext], Message],
) -> Callable[[FamilyT, RequestT], Work]:
    """Decorate a method of a family that has nothing to check or to batch before it runs in the worker."""

    @wraps(run)
    def work_of(family: FamilyT, request: RequestT) -> Work:
        return Work(partial(run, family, request))

    return work_of


def execute_batch(
    run_batch: Callable[[Sequence[Any], Sequence[JobContext]], Sequence[Outcome]],
    payloads: list[Any],
    contexts: list[JobContext],
) -> Sequence[Message | DeferredWork | BaseException]:
    """Return one outcome for each payload, in order; an error of the whole batch is the outcome of each."""
    try:
        contexts[0].check_cancelled()
        with cancelled_by(contexts[0].check_cancelled):
            outcomes = run_batch(payloads, contexts)
    except LumenmillError as error:
        # Its frames refer to tensors, whose device memory the next batch needs.
        return [error.with_traceback(None)] * len(contexts)
    except Exception as error:
        return [error] * len(contexts)
    if len(outcomes) != len(contexts):
        return [InternalError(f"{len(outcomes)} results for {len(contexts)} jobs")] * len(contexts)
    return outcomes


def internal_error(error: BaseException) -> InternalError:
    """Return the error that callers get for a bug."""
    internal = InternalError(f"{type(error).__name__}: {error}")
    internal.__cause__ = error
    return internal
