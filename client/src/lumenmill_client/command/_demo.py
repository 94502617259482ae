"""`demo` and `gallery`: a whole run on this machine, and its HTML gallery."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client
from lumenmill_client._dataset_folder import MANIFEST
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._enum_names import enum_name
from lumenmill_client.command._follow import follow
from lumenmill_client.command._licence_option import CommercialUse, SpdxId, parse_licence
from lumenmill_client.command._mesh import EnvironmentMaps, start_mesh_with_notes
from lumenmill_client.command._output import counted, notes, print_json, print_note, print_text, to_dict
from lumenmill_client.command._parameters import parse_parameters
from lumenmill_client.command._runs import Set, succeeded
from lumenmill_client.gallery import write_gallery
from lumenmill_client.mesh import MeshOptions

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command()(gallery)


def demo(
    context: typer.Context,
    recipe: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Recipe to run.")] = Path(
        "recipes/demo.yaml"
    ),
    environment_maps: EnvironmentMaps = None,
    photo: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Your own photograph, to be captioned and exported too."),
    ] = None,
    settings: Set = None,
    licence: SpdxId = "",
    commercial_use: CommercialUse = None,
    out: Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="Gallery to write.")] = Path("demo.html"),
    as_json: AsJson = False,
) -> None:
    """Start the mesh, run the demo recipe, write the gallery and the dataset. No GPU, no server, no weights.

    Example: lumenmill demo --environment-maps ~/hdri --photo photo.jpg
    """
    started_s = time.monotonic()
    start_mesh_with_notes(context.obj, MeshOptions(environment_maps_dir=environment_maps))
    with context.obj.client() as client:
        upload = partial(client.upload, licence=parse_licence(licence, commercial_use))
        parameters = parse_parameters(recipe, settings or [], upload)
        if photo:
            parameters["photos"] = [to_dict(upload(photo))]
        submitted = client.submit(recipe, parameters)
        print_note(f"run {submitted.id}")
        run = follow(client, submitted.id)
        dataset = _exported(client, run, out.with_suffix("")) if succeeded(run) else None
        write_gallery(client, run, out)
    summary = _summary(run, out, dataset, time.monotonic() - started_s)
    if as_json:
        print_json(summary)
    else:
        print_text(_sentence(summary))
    if not succeeded(run):
        raise typer.Exit(1)


def gallery(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="Id of the run; `lumenmill runs` lists them.")],
    out: Annotated[Path, typer.Option("--out", "-o", dir_okay=False, help="Gallery to write.")] = Path("gallery.html"),
) -> None:
    """Write the gallery of a run: one self-contained HTML file.

    Example: lumenmill gallery demo-20260101-120000 --out gallery.html
    """
    with context.obj.client() as client, notes.working("writing the gallery"):
        write_gallery(client, client.run(run_id), out)
    print_text(str(out))


def _exported(client: Client, run: run_pb2.Run, folder: Path) -> Path:
    if not (folder / MANIFEST).exists():
        for old in (folder / "data").glob("*.parquet"):
            old.unlink()  # of a demo without a manifest
    # A demo has few scenes under the same few maps: a split by maps too would exclude much of it.
    return client.export_to(run.id, folder, split_rule=run_pb2.SPLIT_RULE_SCENE).folder


def _summary(run: run_pb2.Run, out: Path, dataset: Path | None, duration_s: float) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": enum_name(run_pb2.RunState, run.state),
        "num_samples_accepted": run.num_samples_accepted,
        "num_samples_rejected": run.num_samples_rejected,
        "num_reused": sum(step.num_reused for step in run.steps),
        "duration_s": round(duration_s, 1),
        "gallery": str(out.absolute()),
        "dataset": str(dataset.absolute()) if dataset else None,
    }


def _sentence(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['run']}: {summary['state']}, {counted(summary['num_samples_accepted'], 'sample')} accepted, "
        f"{summary['num_samples_rejected']} rejected, {summary['duration_s']:.0f} s",
        f"gallery: {summary['gallery']}",
    ]
    if summary["dataset"]:
        lines.append(f"dataset: {summary['dataset']}")
    lines.append("The mesh is still running: `lumenmill status` shows it, `lumenmill down` stops it.")
    return "\n".join(lines)
