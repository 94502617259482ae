"""Parses `--set name=value` into parameters of a recipe, each by the type that the recipe declares for it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_client._text_files import read_lines
from lumenmill_client.command._declared_types import declared_types
from lumenmill_client.command._output import to_dict
from lumenmill_client.command._paths import num_parts_of_path
from lumenmill_client.command._prompt_files import read_prompt_sets
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["parse_parameters"]

_OPTION = "--set"
# Parameters travel as numbers of JSON; beyond this whole numbers lose digits.
_LARGEST_INT = 2**53

_ArtifactOf = Callable[[Path], Artifact]


def parse_parameters(recipe: Path, settings: Sequence[str], artifact_of: _ArtifactOf) -> dict[str, Any]:
    """Return the values of `--set` in JSON form.

    Values of string parameters are taken as they are. Values of other types are JSON, or `@FILE,@FILE`: files for
    artifacts, files or folders of prompts for prompt sets (see `read_prompt_sets`), and for a list of strings the lines
    of a file. `lines:FILE` is another way to write `@FILE`. What is neither is passed as text, for the orchestrator to
    report with what the recipe declares.

    Args:
        recipe: the recipe; when it cannot be read, values are JSON or text.
        settings: `NAME=VALUE`.
        artifact_of: returns the artifact of a file.

    Raises:
        InvalidArgumentError: a setting has no `=`, a name is given twice, a file does not exist or cannot be read, or a
            number is too large.
    """
    types = declared_types(recipe)
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or not name:
            raise InvalidArgumentError(_OPTION, f"{setting!r} is not NAME=VALUE")
        if name in parameters:
            raise InvalidArgumentError(_OPTION, f"{name} is given twice; keep one of them")
        parameters[name] = _value(name, text, types.get(name, ""), artifact_of)
    return parameters


def _value(name: str, text: str, type_name: str, artifact_of: _ArtifactOf) -> Any:
    if type_name == "string":
        return text
    read = _FILE_READERS.get(type_name.removeprefix("list[").removesuffix("]"))
    is_list = type_name.startswith("list[")
    if read is not None and text.startswith(("@", "lines:")):
        found = [value for path in _paths(name, text) for value in read(path, artifact_of)]
        if is_list:
            return found
        if len(found) != 1:
            raise InvalidArgumentError(_OPTION, f"{name} is one {type_name}, and {text!r} has {len(found)}")
        return found[0]
    return _json_or_text(name, text)


def _artifacts_of(path: Path, artifact_of: _ArtifactOf) -> list[dict[str, Any]]:
    return [to_dict(artifact_of(path))]


def _prompt_sets_of(path: Path, _: _ArtifactOf) -> list[dict[str, Any]]:
    return [to_dict(prompt_set) for prompt_set in read_prompt_sets(path, _OPTION)]


def _lines_of(path: Path, _: _ArtifactOf) -> list[str]:
    return read_lines(path, _OPTION)


_FILE_READERS: Mapping[str, Callable[[Path, _ArtifactOf], list[Any]]] = {
    "artifact": _artifacts_of,
    "prompt_set": _prompt_sets_of,
    "string": _lines_of,
}


def _paths(name: str, text: str) -> list[Path]:
    """Return the paths of `@FILE,@FILE` or `lines:FILE`."""
    if text in ("@", "lines:"):
        # An empty path would be the folder of the caller.
        raise InvalidArgumentError(_OPTION, f"{name}: the name of a file is missing after {text!r}")
    if text.startswith("lines:"):
        return [Path(text.removeprefix("lines:"))]
    parts, paths = text.removeprefix("@").split(",@"), []
    while parts:
        length = num_parts_of_path(parts, ",@")
        paths.append(Path(",@".join(parts[:length])))
        del parts[:length]
    return paths


def _json_or_text(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # text, or JSON with too large numbers or too deep lists
        return text
    numbers = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, int)]
    if any(abs(number) > _LARGEST_INT for number in numbers):
        raise InvalidArgumentError(_OPTION, f"{name}: whole numbers lie between −2^53 and 2^53")
    return value
