"""What a family is asked to do: by itself, or together with others that wait for the same."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar

from google.protobuf.message import Message

from lumenmill_common._job import JobContext
from lumenmill_common.errors import InternalError, LumenmillError

__all__ = ["BatchWork", "Later", "Outcome", "Work", "bug_of", "in_worker", "outcomes_of"]

FamilyT = TypeVar("FamilyT")
RequestT = TypeVar("RequestT", bound=Message)


@dataclass(frozen=True)
class Later:
    """The rest of a job that needs the device no more: encoding, uploading. `run` blocks in another thread and returns
    the result message, while the worker goes on with the next batch."""

    run: Callable[[], Message]


# What became of one job of a batch.
Outcome = Message | Later | LumenmillError


@dataclass(frozen=True)
class BatchWork:
    """Work of a family that can do several requests as one.

    Waiting jobs with an equal `key` are given to `run_batch` together, at most `max_batch_size` of them. It returns one
    result for each payload, in order; an exception in the place of a result fails only that job.
    """

    key: Hashable
    payload: Any
    run_batch: Callable[[Sequence[Any], Sequence[JobContext]], Sequence[Outcome]]
    estimate_s: float | None = None
    """Seconds that this work takes by itself, where the family can tell: nearer deadlines are refused at once."""


@dataclass(frozen=True)
class Work:
    """Work that is done by itself: `run` blocks in the worker thread and returns the result message."""

    run: Callable[[JobContext], Message]

    def as_batch(self) -> BatchWork:
        """The same as a batch that nothing else can join."""
        return BatchWork(key=object(), payload=self.run, run_batch=lambda runs, jobs: [runs[0](jobs[0])])


def in_worker(
    run: Callable[[FamilyT, RequestT, JobContext], Message],
) -> Callable[[FamilyT, RequestT], Work]:
    """Decorate a method of a family that has nothing to check or to batch before it runs in the worker."""

    @wraps(run)
    def work_of(family: FamilyT, request: RequestT) -> Work:
        return Work(partial(run, family, request))

    return work_of


def outcomes_of(
    run_batch: Callable[[Sequence[Any], Sequence[JobContext]], Sequence[Outcome]],
    payloads: list[Any],
    contexts: list[JobContext],
) -> Sequence[Message | Later | BaseException]:
    """One result or error for each of the payloads, in order; an error of the batch is that of each."""
    try:
        contexts[0].check_cancelled()
        outcomes = run_batch(payloads, contexts)
    except LumenmillError as error:
        # Its frames hold what was being made, which on a device is room that the next batch needs.
        return [error.with_traceback(None)] * len(contexts)
    except Exception as error:
        return [error] * len(contexts)
    if len(outcomes) != len(contexts):
        return [InternalError(f"{len(outcomes)} results for {len(contexts)} jobs")] * len(contexts)
    return outcomes


def bug_of(error: BaseException) -> InternalError:
    """What callers are told of an error that is our own mistake."""
    bug = InternalError(f"{type(error).__name__}: {error}")
    bug.__cause__ = error
    return bug
