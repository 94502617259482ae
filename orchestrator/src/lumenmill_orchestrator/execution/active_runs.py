"""The runs that this process executes, each loaded and compiled once."""

import asyncio
import json

from lumenmill.common.v1 import model_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.execution.active_run import ActiveRun
from lumenmill_orchestrator.mesh import Mesh, ModelQueues, ModelUnavailableError
from lumenmill_orchestrator.recipe import KnownModel, Recipe, check_recipe
from lumenmill_orchestrator.storage import ENDED_STATES, ExecutionStore, RunRow, RunStore, query

__all__ = ["ActiveRuns", "RunFailedError"]


class RunFailedError(Exception):
    """A run cannot continue; the message is stored as its error."""


class ActiveRuns:
    """Loads runs from the database when a workflow needs them, and drops them when they have ended."""

    def __init__(self, mesh: Mesh, queues: ModelQueues, runs: RunStore, executions: ExecutionStore) -> None:
        self._mesh, self._queues, self._runs, self._executions = mesh, queues, runs, executions
        self._loading: dict[str, asyncio.Task[ActiveRun]] = {}
        self._compiled: dict[str, Recipe] = {}
        self._ended: dict[str, asyncio.Event] = {}
        """Events of runs that wait for the description of a model, set when the run ends."""

    @property
    def ids(self) -> list[str]:
        """Ids of the runs that are loaded or being loaded."""
        return list(self._loading)

    def get(self, run_id: str) -> ActiveRun | None:
        """Return a run while this process executes it."""
        task = self._loading.get(run_id)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            return None
        return task.result()

    def add_compiled(self, run_id: str, recipe: Recipe) -> None:
        """Provide the recipe of a run that was compiled at its submission, so that `load` need not compile it."""
        self._compiled[run_id] = recipe

    async def load(self, run_id: str) -> ActiveRun:
        """Return a run, loaded once however many workflows ask.

        Raises:
            RunFailedError: the recipe does not fit the models any more, or a model is unavailable.
        """
        task = self._loading.get(run_id)
        if task is None:
            task = self._loading[run_id] = asyncio.create_task(self._load(run_id))
        try:
            return await asyncio.shield(task)
        except Exception:
            if self._loading.get(run_id) is task:  # otherwise another caller loads it again already
                del self._loading[run_id]
            raise

    async def apply_state(self, run_id: str, state: "run_pb2.RunState.ValueType") -> None:
        """Apply the new state of a run at once; jobs of a stopped run are cancelled at their services."""
        if state in ENDED_STATES and run_id in self._ended:
            self._ended[run_id].set()
        run = self.get(run_id)
        if run is None:
            return
        jobs = [(endpoint, request_id) for request_id, endpoints in run.jobs.items() for endpoint in endpoints]
        run.apply_state(state)
        if not run.unpaused.is_set():
            self._queues.remove_unstarted(run_id)
        run.changed.set()
        if run.stopped.is_set():
            await asyncio.gather(*(endpoint.cancel_job(request_id) for endpoint, request_id in jobs))

    def drop(self, run_id: str) -> None:
        """Forget a run that has ended."""
        for entries in (self._loading, self._compiled, self._ended):
            entries.pop(run_id, None)

    async def _load(self, run_id: str) -> ActiveRun:
        row = await query(self._runs.get, run_id)
        await self._seed_call_seconds(row)
        recipe = self._compiled.pop(run_id, None) or await self._compile(row)
        run = ActiveRun(row.id, row.submitter, row.priority, recipe)
        run.unpaused.set()
        run.apply_state(row.state)
        if row.ended:
            run.stopped.set()
        return run

    async def _seed_call_seconds(self, row: RunRow) -> None:
        """Read the durations that earlier processes have measured of the run's calls."""
        kinds = {(call, model) for _, call, model, _ in json.loads(row.planned_steps)}
        for call, model in sorted(kinds):
            median_s = await query(self._executions.median_duration_s, call, model)
            if median_s is not None:
                self._queues.call_seconds.seed(model, call, median_s)

    async def _compile(self, row: RunRow) -> Recipe:
        known = await self._known_models(row)
        checked = await asyncio.to_thread(
            check_recipe, row.recipe_text, row.recipe_file, json.loads(row.parameters), known
        )
        if checked.recipe is None:
            raise RunFailedError("; ".join(problem.message for problem in checked.problems))
        return checked.recipe

    async def _known_models(self, row: RunRow) -> dict[str, KnownModel]:
        """Return the models as they describe themselves now; those that the run calls are waited for."""
        called = {model for _, _, model, _ in json.loads(row.planned_steps)}
        known: dict[str, KnownModel] = {}
        for name in json.loads(row.model_names):
            description = await self._description(row.id, name) if name in called else None
            known[name] = KnownModel(name, description or self._mesh.model(name).description)
        return known

    async def _description(self, run_id: str, name: str) -> model_pb2.Model:
        """Return the description of a model, waiting for it as long as the run has not ended."""
        describing = asyncio.ensure_future(self._queues.of(name).description(run_id))
        ending = asyncio.create_task(self._ended.setdefault(run_id, asyncio.Event()).wait())
        try:
            await asyncio.wait({describing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not describing.done():
                raise RunFailedError(f"the run ended while it waited for model `{name}`")
            return describing.result()
        except ModelUnavailableError as error:
            raise RunFailedError(error.message) from error
        finally:
            for task in (describing, ending):
                task.cancel()
            await asyncio.gather(describing, ending, return_exceptions=True)
