"""`export`: writes runs as a dataset into a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._dataset_folder import SavedDataset
from lumenmill_client._events import OnProgress, ProgressEvent
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._dataset_contents import opening_lines, samples_by_split
from lumenmill_client.command._output import counted, document_of, notes, print_json, print_note, print_text
from lumenmill_client.command._runs import RunId, has_ended

__all__ = ["register"]


class _Format(StrEnum):
    PARQUET = "parquet"
    IMAGEFOLDER = "imagefolder"
    WEBDATASET = "webdataset"
    VIDEOX_FUN = "videox-fun"
    DIFFSYNTH = "diffsynth"


class _SplitBy(StrEnum):
    SCENE = "scene"
    SCENE_AND_ENVIRONMENT_MAP = "scene-and-environment-map"


_SHARED_WITH_OTHER_SPLIT: Mapping[_SplitBy, str] = {
    _SplitBy.SCENE: "their light group or image is",
    _SplitBy.SCENE_AND_ENVIRONMENT_MAP: "their scene, environment map, light group or image is",
}
# The licence of files without a stated one.
_NOT_STATED = "LicenseRef-operator-supplied"
_STAGES: Mapping[str, str] = {"write": "reading samples", "download": "writing files"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    context: typer.Context,
    run_id: RunId,
    more_run_ids: Annotated[
        list[str] | None, typer.Argument(help="Further runs whose samples are added to the dataset.")
    ] = None,
    export_format: Annotated[_Format, typer.Option("--format", "-f", help="Format of the dataset.")] = _Format.PARQUET,
    to: Annotated[
        Path,
        typer.Option(
            "--to", "--out", "-o", file_okay=False, help="Folder of the dataset; an earlier export in it is updated."
        ),
    ] = Path("dataset"),
    commercial: Annotated[
        bool, typer.Option("--commercial", help="Only samples whose licences are all known to allow commercial use.")
    ] = False,
    split_by: Annotated[
        _SplitBy, typer.Option("--split-by", help="What samples of different splits must not share.")
    ] = _SplitBy.SCENE_AND_ENVIRONMENT_MAP,
    embed_media: Annotated[
        bool,
        typer.Option("--embed-media/--no-embed-media", help="Embed media in Parquet files, or refer to the store."),
    ] = True,
    for_spreadsheets: Annotated[
        bool,
        typer.Option(
            "--for-spreadsheets",
            help="Make the CSV files of diffsynth safe to open in a spreadsheet; training needs them without.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the accepted samples of runs as a dataset. Repeated exports write only what has changed.

    Example: lumenmill export demo-20260101-120000 --format imagefolder --to dataset
    """
    with context.obj.client() as client, _bar() as on_progress:
        saved = client.export_to(
            run_id,
            to,
            more_run_ids=more_run_ids or [],
            export_format=run_pb2.ExportFormat.Value(f"EXPORT_FORMAT_{export_format.name}"),
            embed_media=embed_media,
            for_commercial_use=commercial,
            split_rule=run_pb2.SplitRule.Value(f"SPLIT_RULE_{split_by.name}"),
            for_spreadsheets=for_spreadsheets,
            on_progress=on_progress,
        )
        unfinished = [name for name in (run_id, *(more_run_ids or [])) if not has_ended(client.run(name))]
    for name in unfinished:
        print_note(f"{name} has not ended; the dataset has its samples so far. Export again to update it")
    counts, lines = samples_by_split(saved), opening_lines(saved, export_format)
    if as_json:
        print_json(_document(saved, counts, lines))
    else:
        print_text("\n".join(_summary(saved, counts, lines, split_by)))
    if not saved.result.num_samples:
        print_note("the dataset has no samples")
        raise typer.Exit(1)


@contextmanager
def _bar() -> Iterator[OnProgress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as progress:
        tasks = {stage: progress.add_task(text, total=None, visible=False) for stage, text in _STAGES.items()}

        def show(event: ProgressEvent) -> None:
            if event.stage in tasks:
                progress.update(tasks[event.stage], completed=event.step, total=event.total or None, visible=True)

        yield show


def _summary(saved: SavedDataset, counts: Mapping[str, int], lines: list[str], split_by: _SplitBy) -> Iterator[str]:
    result = saved.result
    by_split = ", ".join(f"{number} {split}" for split, number in counts.items())
    yield f"{counted(result.num_samples, 'sample')} in {saved.folder}" + (f": {by_split}" if by_split else "")
    if result.num_excluded_by_split:
        yield f"{result.num_excluded_by_split} excluded: {_SHARED_WITH_OTHER_SPLIT[split_by]} in another split"
    if result.num_excluded_by_format:
        yield f"{result.num_excluded_by_format} excluded: the format does not support them"
    if result.num_excluded_by_licence:
        yield f"{result.num_excluded_by_licence} excluded by licences:"
    for exclusion in result.licence_exclusions:
        licence = exclusion.licence
        named = f"{licence.subject} ({licence.spdx_id or 'no licence named'})"
        yield f"  {named}: {exclusion.reason}, {exclusion.num_samples}"
    if any(exclusion.licence.spdx_id in ("", _NOT_STATED) for exclusion in result.licence_exclusions):
        yield "  (licences of your own files: --licence at upload, licences.yaml beside environment maps)"
    yield f"{counted(saved.num_written, 'file')} written, {saved.num_unchanged} unchanged, {saved.num_removed} removed"
    yield from lines


def _document(saved: SavedDataset, counts: Mapping[str, int], lines: list[str]) -> dict[str, Any]:
    return {
        **document_of(saved.result),
        "folder": str(saved.folder.absolute()),
        "num_samples_by_split": dict(counts),
        "num_files_written": saved.num_written,
        "num_files_unchanged": saved.num_unchanged,
        "num_files_removed": saved.num_removed,
        "open_with": lines,
    }
