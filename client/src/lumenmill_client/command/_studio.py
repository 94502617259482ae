"""`studio vocabulary`: the words that can be drawn."""

import textwrap
from collections.abc import Sequence
from typing import Annotated

import typer

from lumenmill.common.v1.scene_pb2 import SceneVocabulary
from lumenmill_client.command._context import AsJson
from lumenmill_client.command._output import document_of, print_json, print_text
from lumenmill_client.command._vocabulary import FoundWord, find_word, kind_name
from lumenmill_common.errors import NotFoundError

__all__ = ["app"]

_LINE_WIDTH = 110

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Without it the only command would become the group itself."""


@app.command()
def vocabulary(
    context: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(help="Words to look up. Without any, all are listed.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Model that builds scenes.")] = "studio",
    as_json: AsJson = False,
) -> None:
    """List the words that studio can draw, or look words up. Exits with 1 when one of them cannot be drawn.

    Examples: lumenmill studio vocabulary; lumenmill studio vocabulary pitcher "oak table" boot --json
    """
    with context.obj.client() as client:
        found = [entry.model for entry in client.models() if entry.name == model]
    if not found or not found[0].HasField("vocabulary"):
        raise NotFoundError(f"no model named {model!r} with a vocabulary; `lumenmill models` lists the models")
    known = found[0].vocabulary
    answers = [find_word(known, word) for word in words or ()]
    if as_json:
        print_json([answer.as_dict() for answer in answers] if words else document_of(known))
    else:
        print_text("\n".join(_answer(answer) for answer in answers) if words else _listed(known))
    if not all(answer.can_be_drawn for answer in answers):
        raise typer.Exit(1)


def _listed(known: SceneVocabulary) -> str:
    parts = []
    for entry in known.kinds:
        parts.append(kind_name(entry.kind))
        parts += [_wrapped("subjects", entry.subjects), _wrapped("places", entry.places), ""]
    parts += ["every kind", _wrapped("materials", [*known.materials, "natural"])]
    parts.append(_wrapped("synonyms", [f"{word} → {meant}" for word, meant in sorted(known.synonyms.items())]))
    return "\n".join(parts)


def _wrapped(title: str, words: Sequence[str]) -> str:
    lead = f"  {title}: "
    return textwrap.fill(lead + ", ".join(words), _LINE_WIDTH, subsequent_indent=" " * len(lead))


def _answer(found: FoundWord) -> str:
    if not found.can_be_drawn:
        return f"{found.word}: cannot be drawn; nearest: {', '.join(found.nearest)}"
    parts = [f"means {found.meaning}"] if found.meaning != found.word else []
    if found.kinds:
        parts.append(f"subject of {', '.join(found.kinds)}")
    if found.is_material:
        parts.append("material")
    if found.places:
        parts.append(f"place: {', '.join(found.places)}")
    return f"{found.word}: {'; '.join(parts)}"
