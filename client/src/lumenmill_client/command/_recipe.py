"""`recipe check`, `recipe plan`, `recipe graph`."""

from pathlib import Path
from typing import Annotated

import typer
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.errors import InvalidArgumentError

from lumenmill_client.command._context import AsJson, CommandContext
from lumenmill_client.command._output import print_message, print_table, print_text
from lumenmill_client.command._parameters import parse_parameters
from lumenmill_client.command._runs import RecipeFile, Set

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(context: typer.Context, recipe: RecipeFile, settings: Set = None, as_json: AsJson = False) -> None:
    """Check a recipe against the contracts and the models of the mesh. Exits with 2 when something is wrong.

    Example: lumenmill recipe check recipes/demo.yaml
    """
    answer = _plan(context.obj, recipe, settings)
    if as_json:
        print_message(answer)
    else:
        _raise_problems(answer)
        print_text(f"{recipe}: good, {len(answer.steps)} steps")
    if answer.problems:
        raise typer.Exit(2)


@app.command()
def plan(context: typer.Context, recipe: RecipeFile, settings: Set = None, as_json: AsJson = False) -> None:
    """Say what a recipe would do: executions by step and by model, and the time they would take.

    Example: lumenmill recipe plan recipes/demo.yaml --set num_img_sets=100
    """
    answer = _plan(context.obj, recipe, settings)
    if as_json:
        print_message(answer)
        return
    _raise_problems(answer)
    rows = [
        (
            step.name,
            step.call,
            step.model,
            step.num_executions,
            f"{step.seconds_per_execution:.2f}" if step.HasField("seconds_per_execution") else "not measured yet",
        )
        for step in answer.steps
    ]
    print_table(["step", "call", "model", "executions", "seconds each"], rows)
    print_text("")
    print_table(["model", "executions", "worker seconds"], _by_model(answer))
    time = f"{answer.estimated_time.ToSeconds()} s" if answer.HasField("estimated_time") else "not known yet"
    print_text(f"{answer.num_items} items; estimated time: {time}")


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
    answer = _plan(context.obj, recipe, settings)
    _raise_problems(answer)
    print_text(answer.graph_mermaid if mermaid else answer.graph_dot)


def _by_model(answer: run_pb2.PlanRecipeResponse) -> list[tuple[str, int, str]]:
    """What a plan would take of each model; a `+` where some of its steps have not been measured yet."""
    rows = []
    for model in dict.fromkeys(step.model for step in answer.steps):
        steps = [step for step in answer.steps if step.model == model]
        work_s = sum(step.num_executions * step.seconds_per_execution for step in steps)
        unknown = any(not step.HasField("seconds_per_execution") for step in steps)
        rows.append((model, sum(step.num_executions for step in steps), f"{work_s:.0f}{'+' if unknown else ''}"))
    return rows


def _plan(command: CommandContext, recipe: Path, settings: list[str] | None) -> run_pb2.PlanRecipeResponse:
    with command.client() as client:
        return client.plan(recipe, parse_parameters(client, settings or []))


def _raise_problems(answer: run_pb2.PlanRecipeResponse) -> None:
    if answer.problems:
        (where, problem), *others = [(_place(entry), f"{entry.path}: {entry.message}") for entry in answer.problems]
        raise InvalidArgumentError(where, problem, *others)


def _place(problem: run_pb2.RecipeProblem) -> str:
    """Where a problem stands; what `--set` gives stands nowhere in the file."""
    return ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
