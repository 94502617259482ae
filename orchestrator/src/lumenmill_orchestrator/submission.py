"""Checks, plans and submissions of recipes."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from lumenmill.common.v1 import artifact_pb2, generation_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import ArtifactStore, artifacts_in
from lumenmill_common.caller import current_caller, require_priority
from lumenmill_common.errors import AlreadyExistsError, InvalidArgumentError
from lumenmill_orchestrator.execution.keys import artifact_sha256s
from lumenmill_orchestrator.media_facts import facts_of_upload
from lumenmill_orchestrator.mesh import Mesh
from lumenmill_orchestrator.recipe import (
    CheckedRecipe,
    KnownModel,
    PlannedCall,
    Recipe,
    WorkLimit,
    check_recipe,
    plain_parameters,
    recipe_plan,
)
from lumenmill_orchestrator.recipe_threads import RecipeThreads
from lumenmill_orchestrator.storage import ExecutionStore, RunRow, RunStore

__all__ = ["Submission", "SubmittedRun"]


@dataclass(frozen=True)
class SubmittedRun:
    """A run that was checked and can be stored."""

    recipe: Recipe
    values: Mapping[str, Any]
    """Its row, by column."""


class Submission:
    """Turns recipes into plans and stored runs."""

    def __init__(self, mesh: Mesh, runs: RunStore, executions: ExecutionStore, store: ArtifactStore) -> None:
        self._mesh, self._runs, self._executions, self._store = mesh, runs, executions, store
        self._threads = RecipeThreads()

    def close(self) -> None:
        """Drop the recipes that wait to be checked."""
        self._threads.close()

    async def plan(
        self, request: run_pb2.PlanRecipeRequest, time_remaining_s: float | None
    ) -> run_pb2.PlanRecipeResponse:
        """Return what a recipe would do, or what is wrong with it.

        Raises:
            DeadlineExceededError: that took longer than the time that remains to the caller.
        """
        known, num_workers = self._known_models(), self._mesh.num_workers()

        def plan(limit: WorkLimit) -> run_pb2.PlanRecipeResponse:
            return recipe_plan(_checked(request, known, limit), self._seconds_of, num_workers)

        return await self._threads.run(plan, time_remaining_s)

    async def check(self, request: run_pb2.SubmitRunRequest, time_remaining_s: float | None) -> SubmittedRun:
        """Return a run of the current caller that can be stored, after its artifacts.

        Raises:
            InvalidArgumentError: the recipe is wrong, one violation for each problem; or an artifact is not stored.
            DeadlineExceededError: that took longer than the time that remains to the caller.
            PermissionDeniedError: the priority needs another role.
        """
        require_priority(request.priority)
        known, submitter = self._known_models(), current_caller().name

        def check(limit: WorkLimit) -> SubmittedRun:
            checked = _checked(request, known, limit)
            if checked.recipe is None:
                raise _refusal(checked)
            for name, value in checked.recipe.parameters.items():
                self._store_artifacts(name, value, limit)
            return SubmittedRun(checked.recipe, _row_of(request, checked.recipe, checked.calls, submitter))

        return await self._threads.run(check, time_remaining_s)

    async def store(self, submitted: SubmittedRun) -> tuple[RunRow, Recipe | None]:
        """Store a run, and return it with its compiled recipe.

        None instead of the recipe means that it must be compiled again: the run existed before, or a model that it
        calls has not been described yet.

        Raises:
            AlreadyExistsError: the run id is in use for other content.
        """
        row, is_new = await asyncio.to_thread(self._store_row, submitted)
        called = {step.model_name for _, step in submitted.recipe.steps()}
        is_described = all(self._mesh.model(name).description is not None for name in called)
        return row, submitted.recipe if is_new and is_described else None

    def _known_models(self) -> dict[str, KnownModel]:
        return {name: KnownModel(name, entry.description) for name, entry in self._mesh.models().items()}

    def _seconds_of(self, call: PlannedCall) -> float | None:
        """Return the median duration of a call in seconds; None before the first one."""
        return self._executions.median_duration_s(call.call, call.model)

    def _store_row(self, submitted: SubmittedRun) -> tuple[RunRow, bool]:
        """Return the stored run, and whether it is new."""
        values = submitted.values
        is_new = self._runs.insert(values, _parameter_sha256s(submitted.recipe.parameters))
        row = self._runs.get(values["id"])
        if row.content_digest != values["content_digest"]:
            raise AlreadyExistsError(
                f"run `{row.id}` exists with another recipe, parameters or priority; choose a new id"
            )
        return row, is_new

    def _store_artifacts(self, name: str, value: Any, limit: WorkLimit) -> None:
        """Complete the artifacts of a parameter in place: inline ones are put into the store, others must be there.

        Raises:
            InvalidArgumentError: one is not in the store.
            CancelledError, DeadlineExceededError: of the limit.
        """
        found: dict[str, artifact_pb2.Artifact] = {}
        elements = value if isinstance(value, list) else [value]
        for index, element in enumerate(elements):
            field = f"parameters.{name}[{index}]" if isinstance(value, list) else f"parameters.{name}"
            for artifact in artifacts_in(element):
                limit.check()
                self._store_artifact(artifact, field, found)

    def _store_artifact(
        self, artifact: artifact_pb2.Artifact, field: str, found: dict[str, artifact_pb2.Artifact]
    ) -> None:
        if artifact.HasField("inline_data"):
            artifact.CopyFrom(self._store.put_inline(artifact, field=field))
            with self._store.local_file(artifact, field=field) as path:
                artifact.MergeFrom(artifact_pb2.Artifact(**facts_of_upload(path, artifact.media_type)))
            return
        self._store.key_from(artifact, field)
        sha256 = artifact_sha256s(artifact)[0]
        stored = found.get(sha256) or self._store.stat(sha256)
        if stored is None:
            raise InvalidArgumentError(field, f"no artifact {sha256} in the store; upload it first")
        found[sha256] = stored
        artifact.sha256, artifact.media_type, artifact.size_bytes = sha256, stored.media_type, stored.size_bytes


def _checked(
    request: run_pb2.PlanRecipeRequest | run_pb2.SubmitRunRequest, known: Mapping[str, KnownModel], limit: WorkLimit
) -> CheckedRecipe:
    return check_recipe(request.recipe, request.recipe_name, _given(request.parameters), known, limit)


def _row_of(
    request: run_pb2.SubmitRunRequest, recipe: Recipe, calls: Sequence[PlannedCall], submitter: str
) -> dict[str, Any]:
    """Return the row of a run, by column."""
    plain = plain_parameters(recipe.parameters)
    priority = request.priority or generation_pb2.JOB_PRIORITY_NORMAL
    digest = hashlib.sha256(json.dumps([request.recipe, plain, priority], sort_keys=True).encode()).hexdigest()
    return {
        "id": request.run_id or f"{_slug(recipe.name)}-{uuid.uuid4().hex[:8]}",
        "recipe_name": recipe.name,
        "recipe_file": request.recipe_name or "recipe.yaml",
        "recipe_text": request.recipe,
        "parameters": json.dumps(plain),
        "planned_steps": json.dumps([[call.name, call.call, call.model, call.num_executions] for call in calls]),
        "model_names": json.dumps(sorted(recipe.models)),
        "content_digest": digest,
        "state": run_pb2.RUN_STATE_QUEUED,
        "priority": priority,
        "error": "",
        "num_items": recipe.num_items,
        "create_time": time.time(),
        "submitter": submitter,
    }


def _given(parameters: Struct) -> dict[str, Any]:
    """Return the given parameters as plain values.

    Raises:
        InvalidArgumentError: one has no value, or a number that is not finite.
    """
    given: dict[str, Any] = {}
    for name, value in parameters.fields.items():
        try:
            given[name] = MessageToDict(value)
        except ValueError:
            raise InvalidArgumentError(f"parameters.{name}", "must be a value of JSON; numbers are finite") from None
    return given


def _parameter_sha256s(parameters: Mapping[str, Any]) -> list[str]:
    values = [part for value in parameters.values() for part in (value if isinstance(value, list) else [value])]
    return list(
        dict.fromkeys(sha256 for value in values if isinstance(value, Message) for sha256 in artifact_sha256s(value))
    )


def _refusal(checked: CheckedRecipe) -> InvalidArgumentError:
    violations = [
        (
            problem.path
            if problem.path.startswith("parameters.")
            else f"recipe:{problem.path}"
            if problem.path
            else "recipe",
            ": ".join(filter(None, [_position(problem), problem.message])),
        )
        for problem in checked.problems
    ]
    return InvalidArgumentError(*violations[0], *violations[1:])


def _position(problem: run_pb2.RecipeProblem) -> str:
    """Return file, line and column; problems of given parameters are in no file and have none."""
    return ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)


def _slug(name: str) -> str:
    slug = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()).strip("-")
    return slug[:50] or "run"
