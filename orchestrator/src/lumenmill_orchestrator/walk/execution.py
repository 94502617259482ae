"""One computation: looked up, waited for, or made by a call that is tried again as its failures allow."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message
from lumenmill.common.v1 import model_pb2
from lumenmill_common.calls import RetryPolicy, call_heavy
from lumenmill_common.errors import CancelledError, DeadlineExceededError, LumenmillError, UnavailableError

from lumenmill_orchestrator import metrics
from lumenmill_orchestrator.mesh import Lanes, Mesh
from lumenmill_orchestrator.recipe import Node
from lumenmill_orchestrator.storage import ResultReader
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.keys import content_key, request_id_of, revision_told
from lumenmill_orchestrator.walk.patience import Patience, backoff_s

__all__ = ["Computation", "NodeExecutor", "Turn"]

_ONCE = RetryPolicy(max_attempts=1)
# Part of the wait that is left when a model that was away says that it serves again.
_SETTLE = 0.2


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


@dataclass
class _Shared:
    """A content key while somebody wants it: who makes it, and what came out."""

    maker: asyncio.Lock = field(default_factory=asyncio.Lock)
    num_wanting: int = 0
    made: Computation | None = None


class NodeExecutor:
    """Makes computations, each content key once."""

    def __init__(self, mesh: Mesh, lanes: Lanes, reader: ResultReader, patience_s: float) -> None:
        self._mesh, self._lanes, self._reader, self._patience_s = mesh, lanes, reader, patience_s
        self._wanted: dict[str, _Shared] = {}

    async def compute(self, run: ActiveRun, node: Node, request: Message, turn: Turn) -> Computation:
        """The computation for a request: from the store, from another walk that makes it now, or by calling the model.

        A failure is a computation with an `error`.
        """
        model = await self.describe(node.model)
        if isinstance(model, LumenmillError):
            return self.unmade(node, model)
        key = content_key(node.method, model, request)
        shared = self._wanted.setdefault(key, _Shared())
        shared.num_wanting += 1
        try:
            stored = await self._stored(node, request, key, model)
            return stored or await self._make_in_turn(run, node, request, key, model, turn, shared)
        finally:
            shared.num_wanting -= 1
            if not shared.num_wanting:
                self._drop(key, shared)

    async def describe(self, name: str) -> model_pb2.Model | LumenmillError:
        """The model, waiting for it as long as patience lasts."""
        give_up_s = time.monotonic() + self._patience_s
        attempt = 0
        while True:
            try:
                return await self._mesh.describe(name)
            except UnavailableError as error:
                attempt += 1
                delay_s = backoff_s(attempt, error)
                if time.monotonic() + delay_s > give_up_s:
                    return error
                await self._mesh.until_serving(name, delay_s)

    def unmade(self, node: Node, error: LumenmillError) -> Computation:
        """What stands for a computation that was never asked for."""
        nothing = model_pb2.Model()
        return Computation("", nothing, node.model, node.method.new_request(), None, error, False, time.time(), 0.0, 0)  # noqa: FBT003

    async def _stored(self, node: Node, request: Message, key: str, model: model_pb2.Model) -> Computation | None:
        stored = await self._reader.get(key)
        if stored is None:
            return None
        result = node.method.new_result()
        result.ParseFromString(stored)
        return Computation(key, model, node.model, request, result, None, True, time.time(), 0.0, 0)  # noqa: FBT003

    async def _make_in_turn(
        self,
        run: ActiveRun,
        node: Node,
        request: Message,
        key: str,
        model: model_pb2.Model,
        turn: Turn,
        shared: _Shared,
    ) -> Computation:
        """What is made of a key by whoever comes first to the model; a paused run holds neither a place nor the key."""
        while shared.made is None:
            await run.unpaused.wait()
            async with self._lanes.of(node.model, model).slot(turn.order):
                if shared.made is None and run.unpaused.is_set() and not shared.maker.locked():
                    async with shared.maker:
                        made = await self._make(run, node, request, key, model, turn)
                        self._share(run, key, shared, made)
                    return made
            async with shared.maker:
                pass  # somebody else makes it now
        return replace(
            shared.made, request=request, reused=shared.made.result is not None, duration_s=0.0, num_attempts=0
        )

    def _share(self, run: ActiveRun, key: str, shared: _Shared, made: Computation) -> None:
        """Hand a computation to all who want it; a failure that is the maker's own is not theirs."""
        if run.stopped.is_set() or isinstance(made.error, CancelledError | DeadlineExceededError):
            return
        shared.made = made
        if made.error is not None:
            self._drop(key, shared)  # whoever comes later tries for itself

    def _drop(self, key: str, shared: _Shared) -> None:
        if self._wanted.get(key) is shared:
            del self._wanted[key]

    async def _make(
        self, run: ActiveRun, node: Node, request: Message, key: str, model: model_pb2.Model, turn: Turn
    ) -> Computation:
        start_time, watch = time.time(), _Stopwatch()
        outcome, num_attempts = await self._call(run, node, request, request_id_of(key, request), turn, watch)
        duration_s = watch.elapsed_s()
        if not isinstance(outcome, LumenmillError) and (told := revision_told(outcome)) not in ("", model.revision):
            # The service was upgraded while the call waited: what it made is filed under what made it.
            model = await self._other_revision(node.model, told)
            key = content_key(node.method, model, request)
        error = outcome if isinstance(outcome, LumenmillError) else None
        result = None if isinstance(outcome, LumenmillError) else outcome
        return Computation(key, model, node.model, request, result, error, False, start_time, duration_s, num_attempts)  # noqa: FBT003

    async def _other_revision(self, name: str, revision: str) -> model_pb2.Model:
        """The model in the revision that its own results name."""
        self._mesh.doubt(name)
        described = await self.describe(name)
        model = model_pb2.Model()
        if not isinstance(described, LumenmillError):
            model.CopyFrom(described)
        model.revision = revision
        return model

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
        patience, num_attempts = Patience(self._patience_s), 0

        def on_news(response: Any) -> None:
            patience.news()
            on_event(response)

        while True:
            num_attempts += 1
            try:
                stub = self._mesh.get(node.model).stub(node.method)
                result = await call_heavy(stub, request, on_event=on_news, timeout_s=node.timeout_s, retry=_ONCE)
            except TimeoutError:
                error: LumenmillError = DeadlineExceededError(f"no result within {node.timeout_s} s")
            except LumenmillError as failed:
                error = failed
            else:
                return result, num_attempts
            metrics.RETRIES.labels(node.model, error.code.name).inc()
            delay_s = patience.delay_s(error)
            if delay_s is None:
                return error, num_attempts
            await self._pause(node.model, error, delay_s)

    async def _pause(self, model: str, error: LumenmillError, delay_s: float) -> None:
        """Wait before the next attempt; for a model that is away no longer than until it serves again."""
        if isinstance(error, UnavailableError):
            self._mesh.doubt(model)
            since_s = time.monotonic()
            await self._mesh.until_serving(model, delay_s)
            # One that says that it serves and yet refuses is not asked again at once.
            delay_s = min(delay_s - (time.monotonic() - since_s), max(error.retry_delay_s, delay_s * _SETTLE))
        await asyncio.sleep(max(delay_s, 0.0))
