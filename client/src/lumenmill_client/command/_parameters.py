"""Parses `--set name=value` into parameters of a recipe."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_client._client import Client
from lumenmill_client.command._output import to_dict
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["parse_parameters"]


def parse_parameters(client: Client, settings: Sequence[str], licence: Licence | None = None) -> dict[str, Any]:
    """Return the values of `--set`: artifacts for `@file,@file`, lines for `lines:file`, else JSON, else text.

    `licence` is that of the uploaded files.

    Raises:
        InvalidArgumentError: a setting has no `=`, or a file does not exist or is not text.
    """
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or not name:
            raise InvalidArgumentError("--set", f"{setting!r} is not NAME=VALUE")
        parameters[name] = _value(client, text, licence)
    return parameters


def _value(client: Client, text: str, licence: Licence | None) -> Any:
    if text.startswith("@"):
        return [to_dict(client.upload(Path(name), licence=licence)) for name in text.removeprefix("@").split(",@")]
    if text.startswith("lines:"):
        return _lines_of(Path(text.removeprefix("lines:")))
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # text, or JSON with too large numbers or too deep lists
        return text


def _lines_of(file: Path) -> list[str]:
    if not file.is_file():
        raise InvalidArgumentError("--set", f"the file {str(file)!r} does not exist")
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise InvalidArgumentError("--set", f"{str(file)!r} is not a file of UTF-8 text") from None
