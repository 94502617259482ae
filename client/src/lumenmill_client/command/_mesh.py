"""`up`, `down`, `status`, `models`, `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from lumenmill_client.command._context import AsJson, CommandContext
from lumenmill_client.command._doctor import examine
from lumenmill_client.command._models import models_table
from lumenmill_client.command._output import (
    document_of,
    notes,
    print_json,
    print_note,
    print_table,
    print_text,
    results,
)
from lumenmill_client.mesh import MeshOptions, MeshStatus, no_mesh_error, start_mesh, status, stop_mesh
from lumenmill_common.errors import UnavailableError

__all__ = ["register", "start_mesh_with_notes"]

EnvironmentMaps = Annotated[
    Path | None,
    typer.Option("--environment-maps", exists=True, file_okay=False, help="Folder of .hdr and .exr maps for studio."),
]
Assets = Annotated[
    Path | None, typer.Option("--assets", exists=True, file_okay=False, help="Folder of your own 3D meshes for studio.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command("status")(show_status)
    app.command()(models)
    app.command()(doctor)


def up(
    context: typer.Context,
    environment_maps: EnvironmentMaps = None,
    assets: Assets = None,
    models_file: Annotated[
        Path | None,
        typer.Option(
            "--models", exists=True, dir_okay=False, help="YAML file of further models; see docs/local-models.md."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the orchestrator; 0 chooses a free one.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Start the mesh on this machine, and wait until it is ready. Does nothing when it is running.

    Example: lumenmill up --environment-maps ~/hdri --models models.yaml
    """
    options = MeshOptions(port=port, environment_maps_dir=environment_maps, assets_dir=assets, models_file=models_file)
    state = start_mesh_with_notes(context.obj, options)
    _print_status(state, as_json)


def start_mesh_with_notes(command: CommandContext, options: MeshOptions) -> MeshStatus:
    """Start the mesh and report on standard error which processes are ready."""
    with notes.working("starting the mesh") as show_text:

        def show(state: MeshStatus) -> None:
            waiting = ", ".join(service.name for service in state.services if service.health != "SERVING")
            show_text(f"starting the mesh: waiting for {waiting}" if waiting else "starting the mesh")

        try:
            state = start_mesh(command.home, options, show)
        except KeyboardInterrupt:
            if command.home.is_supervised():
                print_note(
                    "interrupted; the mesh continues to start: see `lumenmill status`, or stop it with `lumenmill down`"
                )
            raise
    print_note(f"mesh ready: {len(state.services)} services in {command.home_path}")
    return state


def down(context: typer.Context, as_json: AsJson = False) -> None:
    """Stop the mesh on this machine after its running jobs. Its data remains.

    Example: lumenmill down
    """
    if not notes.is_terminal and context.obj.home.is_supervised():
        print_note("stopping the mesh: running jobs get up to 30 s to finish")
    with notes.working("stopping the mesh: running jobs get up to 30 s to finish"):
        was_running = stop_mesh(context.obj.home)
    if as_json:
        print_json({"was_running": was_running})
    else:
        print_text("mesh stopped" if was_running else f"no mesh is running in {context.obj.home_path}")


def show_status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the processes of the mesh on this machine. Exits with 1 unless all are ready, with 3 when none is running.

    Example: lumenmill status --json
    """
    state = status(context.obj.home)
    if state.running or as_json:
        _print_status(state, as_json)
    if not state.running:
        raise _no_mesh(context.obj)
    if not state.ready:
        raise typer.Exit(1)


def _no_mesh(command: CommandContext) -> UnavailableError:
    error = no_mesh_error(command.home_path)
    if not command.address:
        return error
    other = f"this is not the mesh at {command.address}: `lumenmill models` queries that one"
    return UnavailableError(f"{error.message}; {other}")


def _print_status(state: MeshStatus, as_json: bool) -> None:
    if as_json:
        print_json(state.as_dict())
    else:
        rows = [
            (
                service.name,
                service.health,
                service.address or "—",
                service.metrics or "—",
                service.pid or "—",
                service.num_restarts,
            )
            for service in state.services
        ]
        print_table(["service", "health", "address", "metrics", "pid", "restarts"], rows)


def models(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the models of the mesh and their contracts.

    Example: lumenmill models
    """
    with context.obj.client() as client:
        known = client.models()
    if as_json:
        print_json([document_of(model) for model in known])
        return
    results.print(models_table(known))


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check this machine, and show how to fix problems. Exits with 1 when something required is missing.

    Example: lumenmill doctor
    """
    findings = examine(context.obj.home)
    if as_json:
        print_json([finding.as_dict() for finding in findings])
    else:
        rows = [(finding.mark, finding.what, finding.state, finding.remedy) for finding in findings]
        print_table(["", "check", "state", "remedy"], rows)
    if any(finding.needed and not finding.good for finding in findings):
        raise typer.Exit(1)
