"""Strings are printed as text wherever they come from."""

import io
import json

from rich.table import Table

from lumenmill_client.command._text_console import TextConsole, escaped, plain

_FOREIGN = "[bold]x[/nope] :lemon: \x1b]0;title\x07\rend"
_SHOWN = r"[bold]x[/nope] :lemon: \x1b]0;title\x07\rend"


def test_markup_and_control_characters_are_shown() -> None:
    console = TextConsole(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    table = Table(title=_FOREIGN)
    table.add_column(_FOREIGN)
    table.add_row(_FOREIGN)
    with console.capture() as captured, console.working(_FOREIGN) as show:
        show(f"then {_FOREIGN}")
        console.print(_FOREIGN, style="red")
        console.print(table)
    assert captured.get().count(_SHOWN) >= 4
    assert "\x07" not in captured.get() and "]0;" not in captured.get().replace(_SHOWN, "")


def test_line_ends_and_tabs_are_kept() -> None:
    assert plain("one\r\ntwo\tthree\n") == "one\ntwo\tthree\n"


def test_json_without_control_characters_has_the_same_content() -> None:
    content = {"caption": "\x9b1m \u202e \u2028 é \x7f \x1b"}
    document = escaped(json.dumps(content, ensure_ascii=False))
    assert json.loads(document) == content
    assert not any(character in document for character in "\x9b\u202e\u2028\x7f\x1b") and "é" in document
