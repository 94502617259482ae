"""`recipe check`, `recipe plan`, `recipe graph`."""

from pathlib import Path
from typing import Annotated

import typer

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._store import display_name
from lumenmill_client.command._context import AsJson, CommandContext
from lumenmill_client.command._local_plan import plan_without_mesh
from lumenmill_client.command._output import counted, notes, print_message, print_table, print_text
from lumenmill_client.command._parameters import parse_parameters
from lumenmill_client.command._runs import RecipeFile, Set
from lumenmill_common.artifacts import media_type_of
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(context: typer.Context, recipe: RecipeFile, settings: Set = None, as_json: AsJson = False) -> None:
    """Check a recipe against the contracts and, when a mesh is running, its models. Exits with 2 when it has problems.

    Example: lumenmill recipe check recipes/demo.yaml
    """
    response = _plan(context.obj, recipe, settings)
    if as_json:
        print_message(response)
    else:
        _raise_problems(response)
        print_text(f"{recipe}: valid, {counted(len(response.steps), 'step')}")
    if response.problems:
        raise typer.Exit(2)


@app.command()
def plan(context: typer.Context, recipe: RecipeFile, settings: Set = None, as_json: AsJson = False) -> None:
    """Show the plan of a recipe: executions by step and by model, and their estimated time.

    Example: lumenmill recipe plan recipes/demo.yaml --set num_img_sets=100
    """
    response = _plan(context.obj, recipe, settings)
    if as_json:
        print_message(response)
        return
    _raise_problems(response)
    rows = [
        (
            step.name,
            step.call,
            step.model,
            step.num_executions,
            f"{step.seconds_per_execution:.2f}" if step.HasField("seconds_per_execution") else "not measured yet",
        )
        for step in response.steps
    ]
    print_table(["step", "call", "model", "executions", "seconds each"], rows)
    print_text("")
    print_table(["model", "executions", "worker seconds"], _by_model(response))
    time = f"{response.estimated_time.ToSeconds()} s" if response.HasField("estimated_time") else "unknown"
    print_text(f"{counted(response.num_items, 'item')}; estimated time: {time}")


@app.command()
def graph(
    context: typer.Context,
    recipe: RecipeFile,
    settings: Set = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Mermaid instead of Graphviz DOT.")] = False,
) -> None:
    """Print the graph of a recipe.

    Example: lumenmill recipe graph recipes/demo.yaml | dot -Tsvg > demo.svg
    """
    response = _plan(context.obj, recipe, settings)
    _raise_problems(response)
    print_text(response.graph_mermaid if mermaid else response.graph_dot)


def _by_model(response: run_pb2.PlanRecipeResponse) -> list[tuple[str, int, str]]:
    """Return the work of a plan by model; `+` marks models with steps that have not been measured yet."""
    rows = []
    for model in dict.fromkeys(step.model for step in response.steps):
        steps = [step for step in response.steps if step.model == model]
        work_s = sum(step.num_executions * step.seconds_per_execution for step in steps)
        unknown = any(not step.HasField("seconds_per_execution") for step in steps)
        rows.append((model, sum(step.num_executions for step in steps), f"{work_s:.0f}{'+' if unknown else ''}"))
    return rows


def _plan(command: CommandContext, recipe: Path, settings: list[str] | None) -> run_pb2.PlanRecipeResponse:
    parameters = parse_parameters(recipe, settings or [], _described)
    if not command.has_mesh:
        state = "the mesh is still starting" if command.home.is_supervised() else "no mesh is running"
        notes.print(f"{state}: models and presets are not checked")
        return plan_without_mesh(recipe, parameters)
    with command.client() as client:
        return client.plan(recipe, parameters)


def _described(file: Path) -> Artifact:
    """Return the artifact that a file would become; a plan uploads nothing."""
    if not file.is_file():
        raise InvalidArgumentError("--set", f"there is no file {str(file)!r}")
    return Artifact(name=display_name(file), media_type=media_type_of(file.name), size_bytes=file.stat().st_size)


def _raise_problems(response: run_pb2.PlanRecipeResponse) -> None:
    if response.problems:
        (where, problem), *others = [
            (_position(entry), ": ".join(filter(None, [entry.path, entry.message]))) for entry in response.problems
        ]
        raise InvalidArgumentError(where, problem, *others)


def _position(problem: run_pb2.RecipeProblem) -> str:
    """Return the position of a problem; problems of `--set` have none."""
    return ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
