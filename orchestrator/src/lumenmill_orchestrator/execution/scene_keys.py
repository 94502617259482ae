"""Scene keys: what an item shows, equal in every run that shows the same scene.

Everything made from a given photograph, clip or mesh shows it: its digest is the key. Otherwise the key is made of the
description in the item: of a scene its description and seed, whatever its light and however many variants are made of
it; else its text. Scenes that cannot be distinguished get one key: a split may keep too many samples together, never
too few.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of
from lumenmill_orchestrator.execution.run_inputs import given_values, is_environment_map
from lumenmill_orchestrator.recipe import MISSING, Pipeline
from lumenmill_orchestrator.recipe.references import Scope

__all__ = ["scene_key"]

_LIGHT = light_pb2.Light.DESCRIPTOR
_SCENE = scene_pb2.SceneDescription.DESCRIPTOR
_IGNORED_FIELDS = frozenset({"id"})


def scene_key(pipeline: Pipeline, scope: Scope) -> str:
    """Return the key of the scene that the samples of an item show: 64 hexadecimal digits. `scope` is the item's."""
    for value in [scope["item"], *(value for step in pipeline.steps for value in given_values(step, scope))]:
        for artifact in artifacts_in(value, without=_LIGHT):
            if not is_environment_map(artifact):
                return digest_of(artifact)
    if isinstance(scope["item"], artifact_pb2.Artifact) and digest_of(scope["item"]):
        return digest_of(scope["item"])  # has the type of a map, yet is all that there is to show
    return hashlib.sha256(_identity(scope["item"])).hexdigest()


def _identity(item: Any) -> bytes:
    if isinstance(item, str):
        return _text_identity([item])
    if not isinstance(item, Message):
        plain = None if item is MISSING else item
        return b"value\n" + json.dumps(plain, sort_keys=True, default=str).encode()
    for description in _descriptions(item):
        return b"scene\n" + description.SerializeToString(deterministic=True)
    texts = [
        value
        for field, value in item.ListFields()
        if field.cpp_type == field.CPPTYPE_STRING and not field.is_repeated and field.name not in _IGNORED_FIELDS
    ]
    return _text_identity(texts) if texts else b"item\n" + item.SerializeToString(deterministic=True)


def _text_identity(texts: list[str]) -> bytes:
    return b"words\n" + "\n".join(text.strip() for text in texts).encode()


def _descriptions(item: Message) -> Iterator[Message]:
    if item.DESCRIPTOR is _SCENE:
        yield item
    for field, value in item.ListFields():
        if field.message_type is _SCENE and not field.is_repeated and value.ByteSize():
            yield value
