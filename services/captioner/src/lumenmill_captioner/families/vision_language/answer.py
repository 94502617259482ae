"""The JSON schema of the model's answer, and parsing of answers that need not fit it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

__all__ = ["Answer", "ClipAnswer", "ParsedAnswer", "read_answer"]

_MAX_PROBLEMS = 6
_DIRECTION = (
    "where the main light comes from: front is the side of the camera, back is behind what is shown, "
    "left and right are those of the picture"
)
# Places at which an object is searched for in one answer; real answers hold one object.
_MAX_TRIED = 16


def _one_line(value: object) -> object:
    """Remove line breaks and unpaired surrogates, which cannot be stored."""
    return " ".join(value.encode("utf-8", "ignore").decode().split()) if isinstance(value, str) else value


def _lower(value: object) -> object:
    text = _one_line(value)
    return text.lower().replace("-", " ").replace("_", " ") if isinstance(text, str) else text


_Words = BeforeValidator(_one_line)
_Choice = BeforeValidator(_lower)

Direction = Literal[
    "front", "front right", "right", "back right", "back", "back left", "left", "front left",
    "above", "below", "all around", "unknown",
]  # fmt: skip
Hardness = Literal["soft", "medium", "hard", "unknown"]
Color = Literal["very warm", "warm", "neutral", "cool", "very cool", "coloured", "unknown"]
Contrast = Literal["low", "medium", "high", "unknown"]
Motion = Literal["still", "moves", "changes", "flickers", "unknown"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class LightAnswer(_Part):
    """What the light does."""

    description: Annotated[str, _Words, Field(min_length=1, max_length=800, description="one or two sentences")]
    direction: Annotated[Direction, _Choice, Field(description=_DIRECTION)]
    hardness: Annotated[Hardness, _Choice, Field(description="edges of shadows")]
    color: Annotated[Color, _Choice, Field(description="of the light, not of things")]
    contrast: Annotated[Contrast, _Choice, Field(description="between the lit and the shaded side")]
    sources: Annotated[
        list[Annotated[str, _Words, Field(min_length=1, max_length=100)]],
        Field(max_length=8, description="what gives the light: window, sun, lamp"),
    ]


class ClipLightAnswer(LightAnswer):
    """What the light of a clip does."""

    motion: Annotated[Motion, _Choice, Field(description="what the light does over the clip")]


class Answer(_Part):
    """What an image shows, and its light."""

    caption: Annotated[str, _Words, Field(min_length=1, max_length=4000, description="what is shown, without light")]
    light: LightAnswer


class ClipAnswer(Answer):
    """What a clip shows, and its light."""

    light: ClipLightAnswer


@dataclass(frozen=True)
class ParsedAnswer:
    """The fields of an answer that fit the schema. Those that do not are absent."""

    caption: str = ""
    light: dict[str, Any] = field(default_factory=dict)
    kept_fraction: float = 0.0
    """Part of the fields of the schema that are there, 0 to 1."""
    problems: tuple[str, ...] = ()
    """What does not fit, for the model; empty for an answer that fits."""


def read_answer(text: str, answer_class: type[Answer]) -> ParsedAnswer:
    """Return the valid fields of an answer; it may be fenced, cut off, or no JSON at all."""
    found = _object_in(text)
    if found is None:
        return ParsedAnswer(problems=("it holds no JSON object",))
    problems: tuple[str, ...] = ()
    try:
        answer_class.model_validate(found)
    except ValidationError as error:
        places = [(".".join(str(part) for part in entry["loc"]), entry["msg"]) for entry in error.errors()]
        problems = tuple(f"{place}: {message}" for place, message in places[:_MAX_PROBLEMS])
    light_class = ClipLightAnswer if issubclass(answer_class, ClipAnswer) else LightAnswer
    light = _fitting(light_class, found.get("light"))
    own = _fitting(answer_class, {name: value for name, value in found.items() if name != "light"})
    num_fields = len(light_class.model_fields) + 1
    return ParsedAnswer(own.get("caption", ""), light, (len(light) + len(own)) / num_fields, problems)


def _fitting(part: type[BaseModel], values: object) -> dict[str, Any]:
    """Return the fields of a part that are valid by themselves."""
    if not isinstance(values, dict):
        return {}
    kept: dict[str, Any] = {}
    for name, info in part.model_fields.items():
        with suppress(ValidationError):
            if name in values:
                field_type: Any = Annotated[info.annotation, *info.metadata]
                kept[name] = TypeAdapter(field_type).validate_python(values[name])
    return kept


def _object_in(text: str) -> dict[str, Any] | None:
    """Return the first JSON object of a text that is an answer, else the part of one that is cut off."""
    starts = list(_starts(text))
    for start in starts[:_MAX_TRIED]:
        with suppress(ValueError, RecursionError):
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
            if _is_answer(value):
                return dict(value)
    for start in starts[:1]:
        with suppress(ValueError):
            value = from_json(text[start:], allow_partial="trailing-strings")
            if _is_answer(value):
                return dict(value)
    return None


def _starts(text: str) -> Iterator[int]:
    return (index for index, character in enumerate(text) if character == "{")


def _is_answer(value: object) -> bool:
    return isinstance(value, dict) and bool(value.keys() & {"caption", "light"})
