"""`store ls`, `store get`, `store verify`, `store gc`."""

from pathlib import Path
from typing import Annotated

import typer

from lumenmill_client.command._context import AsJson
from lumenmill_client.command._output import document_of, notes, print_json, print_table, print_text
from lumenmill_client.command._stored import find_artifact
from lumenmill_common.artifacts import extension_of

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command()
def ls(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="Largest number of artifacts.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """List artifacts, in order of digest.

    Example: lumenmill store ls --limit 20
    """
    with context.obj.client() as client:
        found = []
        for artifact in client.artifacts():
            found.append(artifact)
            if len(found) == limit:
                break
    if as_json:
        print_json([document_of(artifact) for artifact in found])
    else:
        rows = [(artifact.sha256, artifact.media_type, artifact.size_bytes) for artifact in found]
        print_table(["sha256", "media type", "bytes"], rows)


@app.command()
def get(
    context: typer.Context,
    sha256: Annotated[str, typer.Argument(help="Digest of the artifact, its first digits, or its URI.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", dir_okay=False, help="File to write. Default: <digest><extension>.")
    ] = None,
) -> None:
    """Download one artifact; its bytes are verified.

    Example: lumenmill store get 3f8a11 --out kettle.png
    """
    with context.obj.client() as client:
        artifact = find_artifact(client, sha256, "sha256")
        path = out or Path(artifact.sha256 + extension_of(artifact.media_type))
        print_text(str(client.download(artifact, path)))


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Read every artifact and compare its bytes with its digest. Exits with 1 when one is damaged or missing.

    Example: lumenmill store verify
    """
    damaged, missing, num_checked = [], [], 0
    with context.obj.client() as client, notes.working("verifying") as show_text:
        for event in client.verify_store():
            num_checked = event.num_checked
            show_text(f"verifying: {event.num_checked} artifacts, {event.num_bytes_checked / 2**20:.0f} MiB")
            if event.HasField("damaged"):
                damaged.append(event.damaged)
            if event.HasField("missing"):
                missing.append(event.missing.sha256)
    if as_json:
        found = {"damaged": [document_of(artifact) for artifact in damaged], "missing": missing}
        print_json({"num_checked": num_checked, **found})
    else:
        for artifact in damaged:
            print_text(f"damaged: {artifact.uri}")
        for sha256 in missing:
            print_text(f"missing: {sha256}")
        print_text(f"{num_checked} artifacts checked, {len(damaged)} damaged, {len(missing)} missing")
    if damaged or missing:
        raise typer.Exit(1)


@app.command()
def gc(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what would be removed.")] = False,
    min_age_s: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Minimum age of removed artifacts in seconds. Default: a day. Only their age protects artifacts of "
            "running jobs, uploads and exports: use less than a day only when none is running.",
        ),
    ] = None,
    retired_database: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of another database that referred to this store and no longer exists. Its orchestrator must have "
            "stopped two hours ago or earlier.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove artifacts that no run, sample or export refers to.

    Example: lumenmill store gc --dry-run
    """
    num_removed, num_bytes_freed = 0, 0
    with context.obj.client() as client, notes.working("collecting garbage"):
        for event in client.collect_garbage(
            dry_run=dry_run, min_age_s=min_age_s, retired_database_ids=retired_database or ()
        ):
            num_removed, num_bytes_freed = event.num_removed, event.num_bytes_freed
    if as_json:
        print_json({"num_removed": num_removed, "num_bytes_freed": num_bytes_freed, "dry_run": dry_run})
    else:
        verb = "would be removed" if dry_run else "removed"
        print_text(f"{num_removed} artifacts, {num_bytes_freed / 2**20:.1f} MiB {verb}")
