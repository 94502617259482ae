"""Wiring of the command: every subcommand, the options before them, and the exit codes."""

import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from lumenmill_client._settings import check_address
from lumenmill_client.command import (
    _clip,
    _decompose,
    _demo,
    _export,
    _fleet,
    _media,
    _mesh,
    _recipe,
    _runs,
    _store,
    _studio,
    _token,
)
from lumenmill_client.command._context import EXIT_CODES, CommandContext, exit_code_of
from lumenmill_client.command._output import print_error, print_note, print_text
from lumenmill_common.errors import InvalidArgumentError, LumenmillError

__all__ = ["main"]

_MAX_SHOWN_CHARACTERS = 200

_EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."

app = typer.Typer(
    name="lumenmill",
    help="Make training data about light. Start with `lumenmill demo`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        print_text(f"lumenmill {metadata.version('lumenmill-client')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="LUMENMILL_HOME", help="State folder of the mesh on this machine.")
    ] = Path(".lumenmill"),
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    address: Annotated[
        str,
        typer.Option(envvar="LUMENMILL_ADDRESS", help="host:port of an orchestrator. Default: the mesh of --home."),
    ] = "",
) -> None:
    try:
        check_address(address)
    except ValueError as error:
        source = context.get_parameter_source("address")
        is_variable = source is not None and source.name == "ENVIRONMENT"
        raise InvalidArgumentError("LUMENMILL_ADDRESS" if is_variable else "--address", str(error)) from None
    context.obj = CommandContext(home_path=home, address=address)


for group in (_demo, _mesh, _fleet, _runs, _export, _media, _clip, _decompose, _token):
    group.register(app)
app.add_typer(_store.app, name="store", help="List, download and verify artifacts, and collect garbage.")
app.add_typer(_recipe.app, name="recipe", help="Check, plan and draw a recipe without running it.")
app.add_typer(_studio.app, name="studio", help="List and look up the words that studio can draw.")


def main() -> None:
    """Run the command and exit with one of EXIT_CODES."""
    try:
        app()
    except LumenmillError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(exit_code_of(error))
    except UnicodeEncodeError as error:
        text = error.object[:_MAX_SHOWN_CHARACTERS].encode("utf-8", "backslashreplace").decode()
        print_note(f"error: the text is not valid UTF-8: {text}", "red")
        sys.exit(2)
    except OSError as error:
        print_note(f"error: {error.filename or 'system'}: {error.strerror or error}", "red")
        sys.exit(5)
