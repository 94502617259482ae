"""Prompts of the model, from the texts in `prompts/`."""

import json
from importlib import resources

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill_captioner.families.vision_language.answer import Answer

__all__ = ["PROMPT_REVISION", "question", "retry_question"]

PROMPT_REVISION = "3"
"""Raised with every change of the texts and of the schema, since captions change with them."""


def question(
    request: captioner_pb2.CaptionRequest, content: str, light: str, num_frames: int, answer_class: type[Answer]
) -> str:
    """Return the prompt of a request.

    The caller's instruction replaces the task; the schema of the answer is always included.

    Args:
        request: the request.
        content: what the picture is known to show, empty where it is unknown.
        light: the light that is known to have arrived in it, likewise.
        num_frames: 0 for images.
        answer_class: the schema of the answer.
    """
    task = request.instruction.strip() or _text("task", medium="clip" if num_frames else "picture")
    parts = [_text("clip", num_frames=num_frames)] if num_frames else []
    parts.append(task)
    if content:
        parts.append(_text("scene", scene=content))
    if light:
        parts.append(_text("light", light=light))
    parts.append(_text("schema", schema=json.dumps(answer_class.model_json_schema(), separators=(",", ":"))))
    return "\n".join(parts)


def retry_question(problems: list[str]) -> str:
    """Return the prompt that asks again after an answer that does not fit the schema."""
    return _text("retry", problems="; ".join(problems))


def _text(name: str, **values: object) -> str:
    file = resources.files(__package__).joinpath("prompts", f"{name}.txt")
    text = file.read_text(encoding="utf-8").strip()
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value))
    return text
