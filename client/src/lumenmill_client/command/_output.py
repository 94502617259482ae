"""Output of commands: results on standard output, progress and errors on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from lumenmill_common import errors

__all__ = ["notes", "print_error", "print_json", "print_message", "print_table", "print_text", "results", "to_dict"]

notes = Console(stderr=True, highlight=False)
# Without a terminal lines are not wrapped, so that scripts can read ids from tables.
results = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 400)


def to_dict(message: Message) -> dict[str, Any]:
    """Return the JSON form of a message, with the field names of the proto."""
    content: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return content


def print_json(content: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def print_message(message: Message) -> None:
    """Print a message as JSON."""
    print_json(to_dict(message))


def print_text(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    results.print(table)


def print_error(error: errors.LumenmillError, *, as_json: bool) -> None:
    """Print an error, with one line for each invalid field."""
    violations = error.violations if isinstance(error, errors.InvalidArgumentError) else ()
    if as_json:
        fields = [{"field": field, "problem": problem} for field, problem in violations]
        document = {"error": {"code": error.code.name, "message": error.message, "violations": fields}}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    lines = [f"{field}: {problem}" if field else problem for field, problem in violations] or [error.message]
    for line in lines:
        notes.print("error:", line, style="red", markup=False, soft_wrap=True)
