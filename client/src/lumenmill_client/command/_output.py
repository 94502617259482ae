"""Output of commands: results on standard output, progress and errors on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from rich.table import Table

from lumenmill_client.command._enum_names import rename_enums
from lumenmill_client.command._text_console import TextConsole, escaped, plain
from lumenmill_common import errors

__all__ = [
    "counted",
    "document_of",
    "notes",
    "print_error",
    "print_json",
    "print_message",
    "print_note",
    "print_table",
    "print_text",
    "results",
    "to_dict",
]

notes = TextConsole(stderr=True)
# Without a terminal lines are not wrapped, so that scripts can read ids from tables.
results = TextConsole(soft_wrap=True, width=None if sys.stdout.isatty() else 400)


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: "1 step", "2 steps"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def to_dict(message: Message) -> dict[str, Any]:
    """Return the JSON form of a message, with the field names of the proto, as requests take it."""
    content: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return content


def document_of(message: Message) -> dict[str, Any]:
    """Return the JSON form of a message as commands print it: its enums have the names that options take."""
    document = to_dict(message)
    rename_enums(document, message.DESCRIPTOR)
    return document


def print_json(content: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(escaped(json.dumps(content, indent=2, ensure_ascii=False)) + "\n")


def print_message(message: Message) -> None:
    """Print a message as JSON."""
    print_json(document_of(message))


def print_text(text: str) -> None:
    """Print text; control characters are shown as escapes."""
    sys.stdout.write(plain(text).rstrip("\n") + "\n")


def print_note(text: str, style: str = "") -> None:
    """Print a remark on standard error."""
    notes.print(text, style=style, soft_wrap=True)


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
        sys.stderr.write(escaped(json.dumps(document, ensure_ascii=False)) + "\n")
        return
    lines = [f"{field}: {problem}" if field else problem for field, problem in violations] or [error.message]
    for line in lines:
        print_note(f"error: {line}", "red")
