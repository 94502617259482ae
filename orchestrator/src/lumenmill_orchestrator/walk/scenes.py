"""What a item shows: an identity that is equal in every run that shows the same thing.

A photograph, clip or mesh that was given is shown by everything made from it: its digest is the key. Otherwise what the
item describes is shown: a scene by its description and seed, whatever light falls on it and however many variants are
made of it, else its words. What cannot be told apart gets one key: splits may keep too much together, never too little.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from lumenmill.common.v1 import artifact_pb2, light_pb2, scene_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of

from lumenmill_orchestrator.recipe import MISSING, Pipeline
from lumenmill_orchestrator.recipe.references import Scope
from lumenmill_orchestrator.walk.references import given_values, is_environment_map

__all__ = ["scene_key"]

_LIGHT = light_pb2.Light.DESCRIPTOR
_SCENE = scene_pb2.SceneDescription.DESCRIPTOR
_NOT_SHOWN = frozenset({"id"})


def scene_key(pipeline: Pipeline, scope: Scope) -> str:
    """The identity of what all samples of a item show: 64 hexadecimal digits. `scope` is that of the item."""
    for value in [scope["item"], *(value for step in pipeline.steps for value in given_values(step, scope))]:
        for artifact in artifacts_in(value, without=_LIGHT):
            if not is_environment_map(artifact):
                return digest_of(artifact)
    if isinstance(scope["item"], artifact_pb2.Artifact) and digest_of(scope["item"]):
        return digest_of(scope["item"])  # of the type of a map, yet all that there is to show
    return hashlib.sha256(_identity(scope["item"])).hexdigest()


def _identity(item: Any) -> bytes:
    if isinstance(item, str):
        return _words([item])
    if not isinstance(item, Message):
        plain = None if item is MISSING else item
        return b"value\n" + json.dumps(plain, sort_keys=True, default=str).encode()
    for description in _descriptions(item):
        return b"scene\n" + description.SerializeToString(deterministic=True)
    texts = [
        value
        for field, value in item.ListFields()
        if field.cpp_type == field.CPPTYPE_STRING and not field.is_repeated and field.name not in _NOT_SHOWN
    ]
    return _words(texts) if texts else b"item\n" + item.SerializeToString(deterministic=True)


def _words(texts: list[str]) -> bytes:
    return b"words\n" + "\n".join(text.strip() for text in texts).encode()


def _descriptions(item: Message) -> Iterator[Message]:
    if item.DESCRIPTOR is _SCENE:
        yield item
    for field, value in item.ListFields():
        if field.message_type is _SCENE and not field.is_repeated and value.ByteSize():
            yield value
