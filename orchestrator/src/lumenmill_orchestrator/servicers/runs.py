"""RunService: runs, samples, exports, models and the fleet."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from lumenmill.orchestrator.v1 import fleet_pb2, run_pb2, run_pb2_grpc
from lumenmill_common.caller import current_caller
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError, UnavailableError
from lumenmill_orchestrator.execution import ActiveRuns, Workflows
from lumenmill_orchestrator.exporters import InProcessExports
from lumenmill_orchestrator.fleet import ExportJobs, Fleet
from lumenmill_orchestrator.mesh import Mesh, ModelQueues
from lumenmill_orchestrator.storage import (
    UNFINISHED_STATES,
    ExecutionStore,
    RunRow,
    RunStore,
    SampleFilter,
    SampleStore,
)
from lumenmill_orchestrator.submission import Submission, SubmittedRun
from lumenmill_orchestrator.views import lineage_view, run_view

__all__ = ["RunServicer"]

_Context = grpc.aio.ServicerContext[Any, Any]
_WATCH_EVERY_S = 0.5
_READ_AT_LEAST_EVERY_S = 2.0
_END_OF_SEQS = 1 << 63


class RunServicer(run_pb2_grpc.RunServiceServicer):
    """Implements RunService."""

    def __init__(
        self,
        workflows: Workflows,
        active: ActiveRuns,
        submission: Submission,
        mesh: Mesh,
        queues: ModelQueues,
        runs: RunStore,
        samples: SampleStore,
        executions: ExecutionStore,
        exports: InProcessExports | ExportJobs,
        fleet: Fleet,
        draining: asyncio.Event,
    ) -> None:
        """`draining` ends watches, whose runs may take days."""
        self._workflows, self._active, self._submission = workflows, active, submission
        self._mesh, self._queues = mesh, queues
        self._runs, self._samples, self._executions = runs, samples, executions
        self._exports, self._fleet, self._draining = exports, fleet, draining
        self._submitting: set[asyncio.Task[RunRow]] = set()

    async def PlanRecipe(self, request: run_pb2.PlanRecipeRequest, context: _Context) -> run_pb2.PlanRecipeResponse:
        """Check and plan a recipe."""
        return await self._submission.plan(request, context.time_remaining())

    async def SubmitRun(self, request: run_pb2.SubmitRunRequest, context: _Context) -> run_pb2.SubmitRunResponse:
        """Store and start a run."""
        submitted = await self._submission.check(request, context.time_remaining())
        # Finished even when the caller disconnects: a run that is stored but not started would wait for a restart.
        submitting = asyncio.create_task(self._submit(submitted))
        self._submitting.add(submitting)
        submitting.add_done_callback(self._submitting.discard)
        return run_pb2.SubmitRunResponse(run=await self._view(await asyncio.shield(submitting)))

    async def _submit(self, submitted: SubmittedRun) -> RunRow:
        row, recipe = await self._submission.store(submitted)
        if not row.ended:
            await self._workflows.start(row.id, recipe)
        return row

    async def GetRun(self, request: run_pb2.GetRunRequest, context: _Context) -> run_pb2.GetRunResponse:
        """Return one run."""
        return run_pb2.GetRunResponse(run=await self.run(request.run_id))

    async def WatchRun(
        self, request: run_pb2.WatchRunRequest, context: _Context
    ) -> AsyncIterator[run_pb2.WatchRunResponse]:
        """Stream one run until it has ended."""
        last: run_pb2.Run | None = None
        totals: dict[str, int] = {}
        while True:
            read_time_s = time.monotonic()
            row = await asyncio.to_thread(self._runs.get, request.run_id)
            run = await self._view(row)
            # When an execution ends, the number of running ones falls before that of stored ones rises; beyond the plan
            # the total would fall with it.
            for step in run.steps:
                step.num_total = totals[step.name] = max(step.num_total, totals.get(step.name, 0))
            if run != last:
                last = run
                yield run_pb2.WatchRunResponse(run=run)
            if row.ended:
                return
            if self._draining.is_set():
                raise UnavailableError("this replica shuts down; watch the run again")
            await self._until_change(request.run_id)
            await asyncio.sleep(max(0.0, read_time_s + _WATCH_EVERY_S - time.monotonic()))

    async def ListRuns(self, request: run_pb2.ListRunsRequest, context: _Context) -> run_pb2.ListRunsResponse:
        """Return a page of runs."""
        size = request.page_size or 50
        before_seq = _from_token(request.page_token)
        rows, has_more = await asyncio.to_thread(self._runs.page, before_seq, size)
        token = _to_token(rows[-1].seq) if has_more else ""
        return run_pb2.ListRunsResponse(runs=[await self._view(row) for row in rows], next_page_token=token)

    async def CancelRun(self, request: run_pb2.CancelRunRequest, context: _Context) -> run_pb2.CancelRunResponse:
        """Cancel a run."""
        await self._change_state(request.run_id, run_pb2.RUN_STATE_CANCELLED)
        return run_pb2.CancelRunResponse(run=await self.run(request.run_id))

    async def PauseRun(self, request: run_pb2.PauseRunRequest, context: _Context) -> run_pb2.PauseRunResponse:
        """Pause a run."""
        await self._change_state(request.run_id, run_pb2.RUN_STATE_PAUSED)
        return run_pb2.PauseRunResponse(run=await self.run(request.run_id))

    async def ResumeRun(self, request: run_pb2.ResumeRunRequest, context: _Context) -> run_pb2.ResumeRunResponse:
        """Resume a run."""
        await self._change_state(request.run_id, run_pb2.RUN_STATE_RUNNING)
        return run_pb2.ResumeRunResponse(run=await self.run(request.run_id))

    async def ListSamples(self, request: run_pb2.ListSamplesRequest, context: _Context) -> run_pb2.ListSamplesResponse:
        """Return a page of samples."""
        size = request.page_size or 100
        selected = SampleFilter(request.run_id, list(request.verdicts), list(request.kinds), request.group_id)
        after_seq = _from_token(request.page_token) or 0
        if request.run_id:
            await asyncio.to_thread(self._runs.get, request.run_id)
        found, has_more = await asyncio.to_thread(self._samples.listed, selected, after_seq, size)
        token = _to_token(found[-1].seq) if has_more else ""
        return run_pb2.ListSamplesResponse(samples=[entry.sample for entry in found], next_page_token=token)

    async def GetLineage(self, request: run_pb2.GetLineageRequest, context: _Context) -> run_pb2.GetLineageResponse:
        """Return the executions that led to a sample."""
        stored = await asyncio.to_thread(self._samples.get, request.sample_id)
        return await asyncio.to_thread(lineage_view, stored, self._executions)

    async def ExportRun(
        self, request: run_pb2.ExportRunRequest, context: _Context
    ) -> AsyncIterator[run_pb2.ExportRunResponse]:
        """Write a dataset and stream the progress."""
        for run_id in (request.run_id, *request.more_run_ids):
            await asyncio.to_thread(self._runs.get, run_id)
        async for response in self._exports.export(request):
            yield response

    async def ListModels(self, request: run_pb2.ListModelsRequest, context: _Context) -> run_pb2.ListModelsResponse:
        """Return the models of the mesh as they are now."""
        await self._mesh.refresh()
        return run_pb2.ListModelsResponse(
            models=[
                run_pb2.RegisteredModel(
                    name=entry.name,
                    address=entry.address,
                    ready=entry.ready,
                    model=entry.description,
                    num_workers=entry.num_workers,
                )
                for _, entry in sorted(self._mesh.models().items())
            ]
        )

    async def GetFleet(self, request: fleet_pb2.GetFleetRequest, context: _Context) -> fleet_pb2.GetFleetResponse:
        """Return the pods and GPUs of the mesh."""
        return await self._fleet.get(request)

    async def run(self, run_id: str) -> run_pb2.Run:
        """Return a run with its current counts."""
        return await self._view(await asyncio.to_thread(self._runs.get, run_id))

    async def _view(self, row: RunRow) -> run_pb2.Run:
        workers, active = self._mesh.num_workers(), self._active.get(row.id)
        waits = [] if row.ended else self._queues.waits_of(row.id)
        return await asyncio.to_thread(run_view, row, self._runs, active, workers, waits)

    async def _change_state(self, run_id: str, to: "run_pb2.RunState.ValueType") -> None:
        row = await asyncio.to_thread(self._runs.get, run_id)
        current_caller().require_control(row.submitter, f"changing the state of run `{run_id}`")
        if row.state == to:
            return
        if not await asyncio.to_thread(self._runs.change_state, run_id, to, only_from=UNFINISHED_STATES):
            raise FailedPreconditionError(f"run `{run_id}` has ended", field="run_id")
        await self._active.apply_state(run_id, to)

    async def _until_change(self, run_id: str) -> None:
        """Wait for a change in this process; return after 2 s at most, since other replicas may change the run."""
        active = self._active.get(run_id)
        if active is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READ_AT_LEAST_EVERY_S):
                await active.changed.wait()
        active.changed.clear()


def _to_token(seq: int) -> str:
    return base64.urlsafe_b64encode(str(seq).encode()).decode()


def _from_token(token: str) -> int | None:
    """Return the sequence number in a page token; None without a token.

    Raises:
        InvalidArgumentError: it is not a page token.
    """
    if not token:
        return None
    try:
        seq = int(base64.urlsafe_b64decode(token))
    except ValueError:
        seq = -1
    if not 0 <= seq < _END_OF_SEQS:
        raise InvalidArgumentError("page_token", "is not a token of a previous page")
    return seq
