"""One computation: looked up, waited for, or made by a call that is tried again as its failures allow."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message
from lumenmill.common.v1 import model_pb2
from lumenmill_common.errors import CancelledError, DeadlineExceededError, LumenmillError

from lumenmill_orchestrator.mesh import Call, Endpoint, Lanes, Mesh, ModelAbsentError, Place, WithdrawnError
from lumenmill_orchestrator.recipe import Step
from lumenmill_orchestrator.storage import ResultReader
from lumenmill_orchestrator.walk.active import ActiveRun
from lumenmill_orchestrator.walk.attempts import Attempts
from lumenmill_orchestrator.walk.keys import content_key, request_id_of, revision_told

__all__ = ["Computation", "StepExecutor", "Turn"]


@dataclass(frozen=True)
class Turn:
    """Under which name a call is counted while it runs, and what goes first where calls wait for a model."""

    counted_as: str
    order: tuple[int, ...]
    may_have_begun: bool
    """Whether somebody may have made the call before, and been cut off: then it is asked for the job first."""


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


@dataclass
class _Shared:
    """A content key while somebody wants it: who makes it, and what came out."""

    maker: asyncio.Lock = field(default_factory=asyncio.Lock)
    num_wanting: int = 0
    made: Computation | None = None


class StepExecutor:
    """Makes computations, each content key once."""

    def __init__(self, mesh: Mesh, lanes: Lanes, reader: ResultReader, patience_s: float) -> None:
        self._mesh, self._lanes, self._reader, self._patience_s = mesh, lanes, reader, patience_s
        self._wanted: dict[str, _Shared] = {}

    async def compute(self, run: ActiveRun, step: Step, request: Message, turn: Turn) -> Computation:
        """The computation for a request: from the store, from another walk that makes it now, or by calling the model.

        A failure is a computation with an `error`.
        """
        model = await self.describe(step.model, run.id)
        if isinstance(model, LumenmillError):
            return self.unmade(step, model)
        key = content_key(step.method, model, request)
        shared = self._wanted.setdefault(key, _Shared())
        shared.num_wanting += 1
        try:
            stored = await self._stored(step, request, key, model)
            return stored or await self._make_in_turn(run, step, request, key, model, turn, shared)
        finally:
            shared.num_wanting -= 1
            if not shared.num_wanting:
                self._drop(key, shared)

    async def describe(self, name: str, run_id: str) -> model_pb2.Model | LumenmillError:
        """The model as it describes itself or did last; one that has never answered is waited for."""
        try:
            return await self._lanes.of(name).description(run_id)
        except ModelAbsentError as error:
            return error

    def withdraw(self, run_id: str) -> None:
        """Let no call of a run wait for a model that has not begun: those of a paused run wait to be resumed."""
        self._lanes.withdraw(run_id)

    def learn_seconds(self, name: str, call: str, median_s: float | None) -> None:
        """What earlier processes have measured of a call; None where they have not."""
        if median_s is not None:
            self._lanes.seconds.seed(name, call, median_s)

    def unmade(self, step: Step, error: LumenmillError) -> Computation:
        """What stands for a computation that was never asked for."""
        nothing = model_pb2.Model()
        return Computation("", nothing, step.model, step.method.new_request(), None, error, False, time.time(), 0.0, 0)  # noqa: FBT003

    async def _stored(self, step: Step, request: Message, key: str, model: model_pb2.Model) -> Computation | None:
        stored = await self._reader.get(key)
        if stored is None:
            return None
        result = step.method.new_result()
        result.ParseFromString(stored)
        return Computation(key, model, step.model, request, result, None, True, time.time(), 0.0, 0)  # noqa: FBT003

    async def _make_in_turn(
        self,
        run: ActiveRun,
        step: Step,
        request: Message,
        key: str,
        model: model_pb2.Model,
        turn: Turn,
        shared: _Shared,
    ) -> Computation:
        """What is made of a key by whoever comes first to the model; a paused run holds neither a place nor the key."""
        call = Call(step.method.call, run.id, turn.counted_as, turn.order)
        while shared.made is None:
            await run.unpaused.wait()
            try:
                async with self._lanes.of(step.model).slot(call) as place:
                    if shared.made is None and run.unpaused.is_set() and not shared.maker.locked():
                        async with shared.maker:
                            made = await self._make(run, step, request, key, model, turn, place)
                            self._share(run, key, shared, made)
                        return made
            except WithdrawnError:
                continue
            except ModelAbsentError as error:
                return Computation(key, model, step.model, request, None, error, False, time.time(), 0.0, 0)  # noqa: FBT003
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
        self,
        run: ActiveRun,
        step: Step,
        request: Message,
        key: str,
        model: model_pb2.Model,
        turn: Turn,
        place: Place,
    ) -> Computation:
        start_time = time.time()
        attempts = self._attempts(run, step, request, request_id_of(key, request), place)
        outcome = await self._call(run, attempts, turn)
        made = Computation(
            content_key=key,
            model=model,
            model_name=step.model,
            request=request,
            result=None if isinstance(outcome, LumenmillError) else outcome,
            error=outcome if isinstance(outcome, LumenmillError) else None,
            reused=False,
            start_time=start_time,
            duration_s=attempts.watch.elapsed_s(),
            num_attempts=attempts.num_made,
        )
        if made.result is None:
            return made
        if not attempts.was_found:
            self._lanes.seconds.add(step.model, step.method.call, made.duration_s)
        made_by = place.endpoint
        told = revision_told(made.result) or (made_by.model.revision if made_by.model is not None else "")
        if told in ("", model.revision):
            return made
        # Another revision than the one that was asked for, in an upgrade: what it made is filed under what made it.
        other = await self._in_revision(made_by, model, told)
        return replace(made, model=other, content_key=content_key(step.method, other, request))

    async def _in_revision(self, endpoint: Endpoint, known: model_pb2.Model, revision: str) -> model_pb2.Model:
        """The model in the revision that its own results name."""
        if endpoint.model is None or endpoint.model.revision != revision:
            await endpoint.ask()
        model = model_pb2.Model()
        model.CopyFrom(endpoint.model or known)
        model.revision = revision
        return model

    def _attempts(self, run: ActiveRun, step: Step, request: Message, request_id: str, place: Place) -> Attempts:
        sent: Any = type(request)()
        sent.CopyFrom(request)
        sent.job.request_id = request_id
        sent.job.priority = run.priority
        return Attempts(run, step, sent, self._mesh.model(step.model), place, self._patience_s)

    async def _call(self, run: ActiveRun, attempts: Attempts, turn: Turn) -> Message | LumenmillError:
        run.started(turn.counted_as)

        def on_event(response: Any) -> None:
            if response.WhichOneof("event") == "progress":
                run.tell_progress(turn.counted_as, response.progress)

        try:
            return await attempts.outcome(may_run_already=turn.may_have_begun, on_event=on_event)
        finally:
            run.jobs.pop(attempts.request_id, None)
            run.ended(turn.counted_as)
