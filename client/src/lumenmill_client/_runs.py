"""Recipes and their runs: plan, submit, watch, cancel, read, export."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from lumenmill.common.v1 import generation_pb2
from lumenmill.orchestrator.v1 import run_pb2, run_pb2_grpc
from lumenmill_client._events import OnProgress, ProgressEvent
from lumenmill_client._text_files import read_text
from lumenmill_common.calls import call_unary
from lumenmill_common.errors import InvalidArgumentError, LumenmillError, UnavailableError
from lumenmill_common.retries import RetryPolicy, RetryState
from lumenmill_common.status import error_from_rpc

__all__ = ["OUTAGE_TIMEOUT_S", "Runs"]

# The upgrade of a mesh takes 10 to 30 s, the replacement of a Kubernetes node longer.
OUTAGE_TIMEOUT_S = 120.0
_RETRIED: Mapping[type[LumenmillError], float] = {UnavailableError: math.inf}
_OUTAGE = RetryPolicy(_RETRIED, outage_timeout_s=OUTAGE_TIMEOUT_S, max_backoff_s=2.0)
# If the mesh has never answered, the address may be wrong.
_FIRST_ANSWER = RetryPolicy(_RETRIED, outage_timeout_s=10.0, max_backoff_s=2.0)

_ENDED = {run_pb2.RUN_STATE_COMPLETED, run_pb2.RUN_STATE_CANCELLED, run_pb2.RUN_STATE_FAILED}


class Runs:
    """The runs of a mesh."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = run_pb2_grpc.RunServiceStub(channel)

    async def plan(self, recipe: str | Path, parameters: Mapping[str, Any] | None = None) -> run_pb2.PlanRecipeResponse:
        """Check a recipe file and return its plan; problems are part of it, not raised."""
        request = run_pb2.PlanRecipeRequest(
            recipe=_text_of(recipe), recipe_name=str(recipe), parameters=_struct(parameters)
        )
        return await call_unary(self._stub.PlanRecipe, request)

    async def submit(
        self,
        recipe: str | Path,
        parameters: Mapping[str, Any] | None = None,
        *,
        run_id: str = "",
        priority: generation_pb2.JobPriority.ValueType = generation_pb2.JOB_PRIORITY_UNSPECIFIED,
    ) -> run_pb2.Run:
        """Start a run of a recipe file. An existing `run_id` with the same content returns that run."""
        request = run_pb2.SubmitRunRequest(
            run_id=run_id,
            recipe=_text_of(recipe),
            recipe_name=str(recipe),
            parameters=_struct(parameters),
            priority=priority,
        )
        return (await call_unary(self._stub.SubmitRun, request)).run

    async def watch(
        self, run_id: str, *, on_lost: Callable[[UnavailableError], None] | None = None
    ) -> AsyncIterator[run_pb2.Run]:
        """Yield the run now and at every change, until it has ended.

        Outages of up to OUTAGE_TIMEOUT_S are retried once the mesh has answered; `on_lost` is called once for each.

        Raises:
            UnavailableError: the mesh was unavailable for longer, or never answered.
        """
        retry, has_answered = RetryState(_FIRST_ANSWER), False
        while True:
            error: LumenmillError = UnavailableError("the orchestrator ended the watch of a run that has not ended")
            try:
                async for response in self._stub.WatchRun(run_pb2.WatchRunRequest(run_id=run_id)):
                    if not has_answered:
                        retry, has_answered = RetryState(_OUTAGE), True
                    retry.answered()
                    yield response.run
                    if response.run.state in _ENDED:
                        return
            except grpc.RpcError as broken:
                error = error_from_rpc(broken)
            if on_lost and has_answered and not retry.is_outage and isinstance(error, UnavailableError):
                on_lost(error)
            await retry.wait(error)

    async def wait(self, run_id: str) -> run_pb2.Run:
        """Wait until the run has ended, and return it."""
        async for run in self.watch(run_id):
            if run.state in _ENDED:
                return run
        raise UnavailableError("the orchestrator ended the watch of a run that has not ended")

    async def get(self, run_id: str) -> run_pb2.Run:
        """Return one run."""
        return (await call_unary(self._stub.GetRun, run_pb2.GetRunRequest(run_id=run_id))).run

    async def list(self) -> AsyncIterator[run_pb2.Run]:
        """Yield all runs, the newest first."""
        token = ""
        while True:
            page = await call_unary(self._stub.ListRuns, run_pb2.ListRunsRequest(page_size=100, page_token=token))
            for run in page.runs:
                yield run
            token = page.next_page_token
            if not token:
                return

    async def cancel(self, run_id: str) -> run_pb2.Run:
        """Cancel a run."""
        return (await call_unary(self._stub.CancelRun, run_pb2.CancelRunRequest(run_id=run_id))).run

    async def pause(self, run_id: str) -> run_pb2.Run:
        """Pause a run: it starts no new steps."""
        return (await call_unary(self._stub.PauseRun, run_pb2.PauseRunRequest(run_id=run_id))).run

    async def resume(self, run_id: str) -> run_pb2.Run:
        """Resume a paused run."""
        return (await call_unary(self._stub.ResumeRun, run_pb2.ResumeRunRequest(run_id=run_id))).run

    async def samples(
        self,
        run_id: str = "",
        *,
        verdicts: Sequence[run_pb2.Verdict.ValueType] = (),
        kinds: Sequence[run_pb2.SampleKind.ValueType] = (),
        group_id: str = "",
    ) -> AsyncIterator[run_pb2.Sample]:
        """Yield filtered samples run by run, item by item, and those of an item in the order of the recipe; pages are
        fetched as needed."""
        token = ""
        while True:
            request = run_pb2.ListSamplesRequest(
                run_id=run_id, verdicts=verdicts, kinds=kinds, group_id=group_id, page_size=200, page_token=token
            )
            page = await call_unary(self._stub.ListSamples, request)
            for sample in page.samples:
                yield sample
            token = page.next_page_token
            if not token:
                return

    async def lineage(self, sample_id: str) -> run_pb2.GetLineageResponse:
        """Return the lineage of a sample."""
        return await call_unary(self._stub.GetLineage, run_pb2.GetLineageRequest(sample_id=sample_id))

    async def export(
        self,
        run_id: str,
        *,
        export_format: run_pb2.ExportFormat.ValueType = run_pb2.EXPORT_FORMAT_PARQUET,
        more_run_ids: Sequence[str] = (),
        embed_media: bool = True,
        for_commercial_use: bool = False,
        split_rule: run_pb2.SplitRule.ValueType = run_pb2.SPLIT_RULE_SCENE_AND_ENVIRONMENT_MAP,
        for_spreadsheets: bool = False,
        on_progress: OnProgress | None = None,
    ) -> run_pb2.ExportResult:
        """Write the accepted samples of one run or several as a dataset into the store.

        Download its files by their artifacts, as `AsyncClient.export_to` does. docs/exports.md explains the options.

        Raises:
            FailedPreconditionError: the dataset is for commercial use, and licences exclude every sample.
        """
        request = run_pb2.ExportRunRequest(
            run_id=run_id,
            more_run_ids=more_run_ids,
            format=export_format,
            embed_media=embed_media,
            for_commercial_use=for_commercial_use,
            split_rule=split_rule,
            for_spreadsheets=for_spreadsheets,
        )
        try:
            async for response in self._stub.ExportRun(request):
                if response.WhichOneof("event") == "result":
                    return response.result
                if on_progress:
                    progress = response.progress
                    on_progress(ProgressEvent(progress.stage, progress.step, progress.total))
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error
        raise UnavailableError("the orchestrator ended the export without a result")


def _text_of(recipe: str | Path) -> str:
    text = read_text(Path(recipe), "recipe")
    if not text.strip():
        raise InvalidArgumentError("recipe", f"the file {str(recipe)!r} is empty")
    return text


def _struct(parameters: Mapping[str, Any] | None) -> Struct:
    struct = Struct()
    for name, value in (parameters or {}).items():
        try:
            json_format.ParseDict(value, struct.fields[name])
        except (json_format.ParseError, TypeError, ValueError):
            problem = f"must be a value of JSON (text, number, true, false, list, mapping), and is {value!r:.60}"
            raise InvalidArgumentError(f"parameters.{name}", problem) from None
    return struct
