"""What the model is asked, from the texts in `prompts/`."""

import json
from importlib import resources

from lumenmill.captioner.v1 import captioner_pb2

from ._answer import Answer

PROMPT_REVISION = "1"
"""Bumped with every change of the texts and of the schema: captions change with them."""


def question(
    request: captioner_pb2.CaptionRequest, known_content: str, num_frames: int, answer_class: type[Answer]
) -> str:
    """Return the request in words. `num_frames` is 0 for images; `known_content` says what is known to be shown.

    The caller's instruction takes the place of the task; the form of the answer is asked for in any case.
    """
    task = request.instruction.strip() or _text("task", medium="clip" if num_frames else "picture")
    parts = [_text("clip", num_frames=num_frames)] if num_frames else []
    parts.append(task)
    if known_content:
        parts.append(_text("known", scene=known_content))
    parts.append(_text("form", schema=json.dumps(answer_class.model_json_schema(), separators=(",", ":"))))
    return "\n".join(parts)


def objection(problems: list[str]) -> str:
    """Return what the model is told about an answer that does not fit."""
    return _text("again", problems="; ".join(problems))


def _text(name: str, **values: object) -> str:
    file = resources.files(__package__).joinpath("prompts", f"{name}.txt")
    text = file.read_text(encoding="utf-8").strip()
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text
