"""One computation: looked up, waited for, or made by a call that is tried again as its failures allow."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from lumenmill.common.v1 import model_pb2
from lumenmill_common.calls import RetryPolicy, call_heavy
from lumenmill_common.errors import (
    CancelledError,
    DataLossError,
    DeadlineExceededError,
    InternalError,
    LumenmillError,
    ResourceExhaustedError,
    UnavailableError,
)

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh import Lanes, Mesh
from lumenmill_orchestrator.recipe import Node
from lumenmill_orchestrator.storage import ResultReader
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.keys import content_key, request_id_of

__all__ = ["Computation", "NodeExecutor", "Turn"]

_ONCE = RetryPolicy(max_attempts=1)
_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 15.0
# Failures that may pass when the same call is made again, and how many attempts they get. UNAVAILABLE has the patience
# of the settings instead, and a full queue is waited for without end, for the model is there and working.
_ATTEMPTS: dict[type[LumenmillError], int] = {
    InternalError: 3,
    DataLossError: 2,
    DeadlineExceededError: 2,
    CancelledError: 3,
}


@dataclass(frozen=True)
class Turn:
    """Under which name a call is counted while it runs, and what goes first where calls wait for a model."""

    counted_as: str
    order: tuple[int, ...]


@dataclass(frozen=True)
class Computation:
    """What came out of one content key."""

    content_key: str
    model: model_pb2.Model
    model_name: str
    request: Message
    result: Message | None
    error: LumenmillError | None
    reused: bool
    start_time: float
    duration_s: float
    num_attempts: int


class _Stopwatch:
    """Seconds that a model worked on a call: what it waited in the model's queue does not count."""

    def __init__(self) -> None:
        self._since_s = time.perf_counter()
        self._works = False

    def waits(self) -> None:
        """The job is queued (again)."""
        self._since_s, self._works = time.perf_counter(), False

    def works(self) -> None:
        """The job runs; it has since the first time that this was told."""
        if not self._works:
            self._since_s, self._works = time.perf_counter(), True

    def elapsed_s(self) -> float:
        """Seconds until now."""
        return time.perf_counter() - self._since_s


class _Attempts:
    """Attempts of one call; a connection that breaks after news is taken up again without returning to us."""

    def __init__(self, model: str) -> None:
        self._model = model
        self.num = 0

    def again(self, error: LumenmillError) -> None:
        """The call was taken up again."""
        self.num += 1
        self.count(error)

    def count(self, error: LumenmillError) -> None:
        """An attempt failed."""
        metrics.RETRIES.labels(self._model, error.code.name).inc()


class NodeExecutor:
    """Makes computations, each content key once."""

    def __init__(self, mesh: Mesh, lanes: Lanes, reader: ResultReader, patience_s: float) -> None:
        self._mesh, self._lanes, self._reader, self._patience_s = mesh, lanes, reader, patience_s
        self._in_flight: dict[str, asyncio.Future[Computation]] = {}

    async def compute(self, run: ActiveRun, node: Node, request: Message, turn: Turn) -> Computation:
        """The computation for a request: from the store, from another walk that makes it now, or by calling the model.

        A failure is a computation with an `error`.
        """
        model = await self.describe(node.model)
        if isinstance(model, LumenmillError):
            return self.unmade(node, model)
        key = content_key(node.method, model, request)
        while (others := self._in_flight.get(key)) is not None:
            made = await asyncio.shield(others)
            if made.result is not None:
                return Computation(**{**made.__dict__, "request": request, "reused": True, "duration_s": 0.0})
        mine: asyncio.Future[Computation] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = mine
        made = self.unmade(node, CancelledError("the run was stopped"))
        try:
            made = await self._look_up_or_make(run, node, request, key, model, turn)
        finally:
            del self._in_flight[key]
            mine.set_result(made)
        return made

    async def describe(self, name: str) -> model_pb2.Model | LumenmillError:
        """The model, waiting for it as long as patience lasts."""
        give_up_s = time.monotonic() + self._patience_s
        attempt = 0
        while True:
            try:
                return await self._mesh.describe(name)
            except UnavailableError as error:
                attempt += 1
                delay_s = _backoff_s(attempt, error)
                if time.monotonic() + delay_s > give_up_s:
                    return error
                await asyncio.sleep(delay_s)

    def unmade(self, node: Node, error: LumenmillError) -> Computation:
        """What stands for a computation that was never asked for."""
        nothing = model_pb2.Model()
        return Computation("", nothing, node.model, node.method.new_request(), None, error, False, time.time(), 0.0, 0)  # noqa: FBT003

    async def _look_up_or_make(
        self,
        run: ActiveRun,
        node: Node,
        request: Message,
        key: str,
        model: model_pb2.Model,
        turn: Turn,
    ) -> Computation:
        start_time = time.time()
        stored = await self._reader.get(key)
        if stored is not None:
            result = node.method.new_result()
            result.ParseFromString(stored)
            return Computation(key, model, node.model, request, result, None, True, start_time, 0.0, 0)  # noqa: FBT003
        start_time, duration_s, outcome, num_attempts = await self._make_in_turn(run, node, request, key, model, turn)
        error = outcome if isinstance(outcome, LumenmillError) else None
        made = None if isinstance(outcome, LumenmillError) else outcome
        return Computation(key, model, node.model, request, made, error, False, start_time, duration_s, num_attempts)  # noqa: FBT003

    async def _make_in_turn(
        self,
        run: ActiveRun,
        node: Node,
        request: Message,
        key: str,
        model: model_pb2.Model,
        turn: Turn,
    ) -> tuple[float, float, Message | LumenmillError, int]:
        """Start time, seconds, outcome and number of attempts of a call in its turn; a paused run holds no place."""
        while True:
            await run.unpaused.wait()
            async with self._lanes.of(node.model, model).slot(turn.order):
                if not run.unpaused.is_set():
                    continue
                start_time, watch = time.time(), _Stopwatch()
                request_id = request_id_of(key, request)
                outcome, num_attempts = await self._call(run, node, request, request_id, turn, watch)
                return start_time, watch.elapsed_s(), outcome, num_attempts

    async def _call(
        self, run: ActiveRun, node: Node, request: Message, request_id: str, turn: Turn, watch: "_Stopwatch"
    ) -> tuple[Message | LumenmillError, int]:
        sent: Any = type(request)()
        sent.CopyFrom(request)
        sent.job.request_id = request_id
        sent.job.priority = run.priority
        job = (node.model, request_id)
        run.jobs.add(job)
        run.started(turn.counted_as)

        def on_event(response: Any) -> None:
            if response.WhichOneof("event") == "progress":
                run.tell_progress(turn.counted_as, response.progress)
                watch.works()
            else:
                watch.waits()

        try:
            return await self._attempts(node, sent, on_event)
        finally:
            run.jobs.discard(job)
            run.ended(turn.counted_as)

    async def _attempts(
        self, node: Node, request: Message, on_event: Callable[[Any], None]
    ) -> tuple[Message | LumenmillError, int]:
        give_up_s = time.monotonic() + self._patience_s
        attempts = _Attempts(node.model)
        while True:
            attempts.num += 1
            try:
                stub = self._mesh.get(node.model).stub(node.method)
                result = await call_heavy(
                    stub, request, on_event=on_event, on_retry=attempts.again, timeout_s=node.timeout_s, retry=_ONCE
                )
            except TimeoutError:
                error: LumenmillError = DeadlineExceededError(f"no result within {node.timeout_s} s")
            except LumenmillError as failed:
                error = failed
            else:
                return result, attempts.num
            attempts.count(error)
            delay_s = self._delay_before_retry_s(error, attempts.num, give_up_s)
            if delay_s is None:
                return error, attempts.num
            if isinstance(error, UnavailableError):
                self._mesh.doubt(node.model)
            await asyncio.sleep(delay_s)

    @staticmethod
    def _delay_before_retry_s(error: LumenmillError, attempt: int, give_up_s: float) -> float | None:
        """Seconds until the next attempt, or None when there is to be none."""
        delay_s = _backoff_s(attempt, error)
        if isinstance(error, ResourceExhaustedError):
            return delay_s
        if isinstance(error, UnavailableError):
            return delay_s if time.monotonic() + delay_s <= give_up_s else None
        return delay_s if attempt < _ATTEMPTS.get(type(error), 1) else None


def _backoff_s(attempt: int, error: LumenmillError) -> float:
    asked_for_s = float(getattr(error, "retry_delay_s", 0.0))
    backoff_s = min(_FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 16), _LONGEST_BACKOFF_S)
    return max(asked_for_s, backoff_s) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads callers, no secret
