"""Prompts from files: one in each line of a `.txt` file, or the prompt sets of a `.json` file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from lumenmill.prompter.v1.prompter_pb2 import GeneratePromptSetsResult, PromptSet
from lumenmill_client._text_files import read_lines, read_text
from lumenmill_client.command._output import notes
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.json_misfits import json_misfit

__all__ = ["read_prompt_sets"]

_EXTENSIONS = (".json", ".txt")
_RESULT_KEYS = frozenset({"prompt_sets", "promptSets", "video_prompts", "videoPrompts"})


def read_prompt_sets(path: Path, field: str) -> list[PromptSet]:
    """Return the prompt sets of a file, or of all `.txt` and `.json` files of a folder in the order of their names.

    A line of a text file becomes a set with this `image_prompt` alone. A `.json` file has what
    `lumenmill prompts --json` writes, or a list of prompt sets and texts, or one prompt set.

    Raises:
        InvalidArgumentError: there are no prompts, or a file is not valid; names `field`, the file and the entry.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _EXTENSIONS and file.is_file())
    found = [prompt_set for file in files for prompt_set in _read(file, field)]
    if not found:
        where = "in .txt and .json files" if path.is_dir() else "one per line"
        raise InvalidArgumentError(field, f"{str(path)!r} has no prompts; they are expected {where}")
    return found


def _read(file: Path, field: str) -> list[PromptSet]:
    if file.suffix.lower() != ".json":
        return [PromptSet(image_prompt=line) for line in read_lines(file, field)]
    try:
        content = json.loads(read_text(file, field), object_pairs_hook=_without_duplicates)
    except _DuplicateKeyError as error:
        raise InvalidArgumentError(field, f"{str(file)!r}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidArgumentError(field, f"{str(file)!r} is not valid JSON: {error}") from None
    return list(_parsed(content, file, field))


class _DuplicateKeyError(Exception):
    """A JSON object has a key twice; its last value would count, without a word."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _DuplicateKeyError(f"the key {key!r} is given twice in one object; keep one of them")
        content[key] = value
    return content


def _parsed(content: Any, file: Path, field: str) -> Iterator[PromptSet]:
    is_result = isinstance(content, dict) and not _RESULT_KEYS.isdisjoint(content)
    entries = content if isinstance(content, list) else [content]
    if is_result:
        result = _message(content, GeneratePromptSetsResult(), str(file), field)
        entries = list(result.prompt_sets)
        if result.video_prompts:
            notes.print(f"{file}: its {len(result.video_prompts)} video prompts are not used", markup=False)
    for index, entry in enumerate(entries):
        place = f"{file}, entry {index + 1}"
        fields = {"image_prompt": entry} if isinstance(entry, str) else entry
        prompt_set = entry if isinstance(entry, PromptSet) else _message(fields, PromptSet(), place, field)
        if not (prompt_set.image_prompt.strip() or prompt_set.HasField("scene")):
            raise InvalidArgumentError(field, f"{place}: a prompt set needs `image_prompt` or `scene`")
        yield prompt_set


def _message(content: Any, message: Any, place: str, field: str) -> Any:
    if not isinstance(content, dict):
        raise InvalidArgumentError(field, f"{place}: must be a prompt set, {{image_prompt: …}}, or a text")
    try:
        return json_format.ParseDict(content, message)
    except (json_format.ParseError, ValueError):  # the latter for half of a surrogate pair
        raise InvalidArgumentError(field, f"{place}: {json_misfit(content, message.DESCRIPTOR)}") from None
