"""`run`, `watch`, `runs`, `cancel`, `pause`, `resume`, `samples`, `lineage`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._sample_light import light_line, lights_of
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._enum_names import enum_choices, enum_name, enum_value
from lumenmill_client.command._follow import follow
from lumenmill_client.command._licence_option import CommercialUse, SpdxId, parse_licence
from lumenmill_client.command._light_groups import find_group
from lumenmill_client.command._output import (
    counted,
    document_of,
    print_json,
    print_message,
    print_note,
    print_table,
    print_text,
)
from lumenmill_client.command._parameters import parse_parameters

__all__ = ["RecipeFile", "RunId", "Set", "has_ended", "register", "succeeded"]

RecipeFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Recipe file.")]
_SET_HELP = (
    "A parameter of the recipe, of the type that the recipe declares; may be given several times. Strings are taken as "
    "they are, other values are JSON. NAME=@FILE,@FILE uploads files for artifacts, reads prompts from .txt and .json "
    "files or folders of them, and lists of strings from the lines of files."
)
Set = Annotated[list[str] | None, typer.Option("--set", "-s", metavar="NAME=VALUE", help=_SET_HELP)]
RunId = Annotated[str, typer.Argument(help="Id of the run; `lumenmill runs` lists them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (run, watch, cancel, pause, resume, samples, lineage):
        app.command()(command)
    app.command("runs")(list_runs)


def run(
    context: typer.Context,
    recipe: RecipeFile,
    settings: Set = None,
    licence: SpdxId = "",
    commercial_use: CommercialUse = None,
    run_id: Annotated[str, typer.Option(help="Id of the run; an existing id attaches to that run.")] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Submit and return at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a recipe and follow the run. After Ctrl-C the run continues.

    Example: lumenmill run recipes/demo.yaml --set num_img_sets=2
    """
    with context.obj.client() as client:
        upload = partial(client.upload, licence=parse_licence(licence, commercial_use))
        parameters = parse_parameters(recipe, settings or [], upload)
        submitted = client.submit(recipe, parameters, run_id=run_id)
        print_note(f"run {submitted.id}")
        finished = submitted if detach else follow(client, submitted.id)
    _print_run(finished, as_json)
    if not detach and not succeeded(finished):
        raise typer.Exit(1)


def watch(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Follow a run until it has ended. After Ctrl-C the run continues.

    Example: lumenmill watch demo-20260101-120000
    """
    with context.obj.client() as client:
        finished = follow(client, run_id)
    _print_run(finished, as_json)
    if not succeeded(finished):
        raise typer.Exit(1)


def succeeded(run: run_pb2.Run) -> bool:
    """Return whether a run completed with at least one accepted sample."""
    return run.state == run_pb2.RUN_STATE_COMPLETED and run.num_samples_accepted > 0


def has_ended(run: run_pb2.Run) -> bool:
    """Return whether a run has ended."""
    return run.state in (run_pb2.RUN_STATE_COMPLETED, run_pb2.RUN_STATE_FAILED, run_pb2.RUN_STATE_CANCELLED)


def list_runs(context: typer.Context, as_json: AsJson = False) -> None:
    """List the runs, the newest first.

    Example: lumenmill runs
    """
    with context.obj.client() as client:
        found = list(client.runs())
    if as_json:
        print_json([document_of(entry) for entry in found])
        return
    rows = [
        (
            entry.id,
            entry.recipe_name,
            enum_name(run_pb2.RunState, entry.state),
            _items(entry),
            entry.num_samples_accepted,
            entry.num_samples_rejected,
            _num_failed_calls(entry),
            entry.create_time.ToJsonString(),
            entry.submitter or "—",
        )
        for entry in found
    ]
    columns = ["run", "recipe", "state", "items", "accepted", "rejected", "failed calls", "submitted", "by"]
    print_table(columns, rows)


def _items(entry: run_pb2.Run) -> str:
    failed = f" ({entry.num_items_failed} failed)" if entry.num_items_failed else ""
    return f"{entry.num_items_done}/{entry.num_items}{failed}"


def _num_failed_calls(entry: run_pb2.Run) -> int:
    return sum(step.num_failed for step in entry.steps)


def cancel(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Cancel a run and its running jobs. Its samples remain.

    Example: lumenmill cancel demo-20260101-120000
    """
    with context.obj.client() as client:
        _print_run(client.cancel(run_id), as_json)


def pause(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Pause a run: running steps finish, no new ones start.

    Example: lumenmill pause demo-20260101-120000
    """
    with context.obj.client() as client:
        _print_run(client.pause(run_id), as_json)


def resume(context: typer.Context, run_id: RunId, as_json: AsJson = False) -> None:
    """Resume a paused run.

    Example: lumenmill resume demo-20260101-120000
    """
    with context.obj.client() as client:
        _print_run(client.resume(run_id), as_json)


def samples(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="Only samples of this run. Default: all runs.")] = "",
    verdict: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(enum_choices(run_pb2.Verdict)), help="Only this verdict; may be repeated."),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="|".join(enum_choices(run_pb2.SampleKind)), help="Only this kind.")
    ] = None,
    group: Annotated[str, typer.Option(help="Only samples of this light group: its id, or how its id begins.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Largest number of samples.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List samples with their light and captions, filtered. Light is azimuth and elevation from the camera, hardness,
    colour temperature and intensity, as it was requested, arrived and was measured.

    Example: lumenmill samples --verdict rejected --limit 20
    """
    verdicts = [enum_value(run_pb2.Verdict, name, "--verdict") for name in verdict or []]
    kinds = [enum_value(run_pb2.SampleKind, name, "--kind") for name in kind or []]
    with context.obj.client() as client:
        found = []
        group_id = find_group(client, run_id, group) if group else ""
        for sample in client.samples(run_id, verdicts=verdicts, kinds=kinds, group_id=group_id):
            found.append(sample)
            if len(found) == limit:
                break
    if as_json:
        print_json([document_of(sample) for sample in found])
        return
    rows = [
        (
            sample.id,
            enum_name(run_pb2.SampleKind, sample.kind),
            enum_name(run_pb2.Verdict, sample.verdict),
            sample.group_id,
            "\n".join(f"{name} {light_line(light)}" for name, light in lights_of(sample).items()),
            sample.reason or sample.caption,
        )
        for sample in found
    ]
    print_table(["sample", "kind", "verdict", "group", "light", "reason or caption"], rows)


def lineage(
    context: typer.Context,
    sample_id: Annotated[str, typer.Argument(help="Id of the sample; `lumenmill samples` lists them.")],
    as_json: AsJson = False,
) -> None:
    """Show the lineage of a sample: every call, its model, revision, inputs and outputs.

    Example: lumenmill lineage SAMPLE_ID --json
    """
    with context.obj.client() as client:
        response = client.lineage(sample_id)
    if as_json:
        print_message(response)
        return
    rows = [
        (
            step.step,
            step.call,
            f"{step.model}@{step.revision}",
            f"{step.duration_s:.2f}",
            "yes" if step.reused else "",
            " ".join(sha256[:8] for sha256 in step.input_sha256s) or "—",
            " ".join(sha256[:8] for sha256 in step.output_sha256s) or "—",
        )
        for step in response.executions
    ]
    print_table(["step", "call", "model", "seconds", "reused", "read", "wrote"], rows)


def _print_run(entry: run_pb2.Run, as_json: bool) -> None:
    if as_json:
        print_message(entry)
        return
    accepted = counted(entry.num_samples_accepted, "sample")
    print_text(
        f"{entry.id}: {enum_name(run_pb2.RunState, entry.state)}, {accepted} accepted, "
        f"{entry.num_samples_rejected} rejected" + (f" ({entry.error})" if entry.error else "")
    )
    num_failed = _num_failed_calls(entry)
    if entry.num_items_failed:
        print_text(f"{counted(entry.num_items_failed, 'item')} failed; the first: {entry.item_error}")
    if num_failed:
        print_text(f"{counted(num_failed, 'call')} failed; reasons: lumenmill samples {entry.id} --verdict failed")
    if entry.num_samples_rejected:
        print_text(f"reasons of rejections: lumenmill samples {entry.id} --verdict rejected")
