"""Generates messages of any type from its descriptor: valid by the bounds of the contract, then mutated.

Validation rejects a message with many invalid values at once, which tests little; a message with one invalid value
reaches the code that uses that value.
"""

import itertools
from dataclasses import dataclass
from random import Random
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import artifact_service_pb2

from .bad_values import (
    bad_bytes,
    bad_enum,
    bad_float,
    bad_integer,
    bad_json,
    bad_recipe,
    bad_string,
    bad_uri,
)
from .contracts import Rpc
from .corpus import RECIPE, Corpus
from .mutations import mutated_content

__all__ = ["MessageGenerator"]

_F = FieldDescriptor
_FLOATS = {_F.CPPTYPE_FLOAT: "float", _F.CPPTYPE_DOUBLE: "double"}
_INTEGERS = {_F.CPPTYPE_INT32: 32, _F.CPPTYPE_INT64: 64, _F.CPPTYPE_UINT32: 32, _F.CPPTYPE_UINT64: 64}
_UNSIGNED = {_F.CPPTYPE_UINT32, _F.CPPTYPE_UINT64}
_WITH_PRESETS = ("lumenmill.imager.v1", "lumenmill.relighter.v1", "lumenmill.video.v1")
_ALMOST_ALWAYS = frozenset(
    ("width_px", "height_px", "num_frames", "preset", "scene", "frames", "sources", "prompt", "light", "media_type")
)
_DEEPEST = 6
_YOUNG_S = 3600
_NUM_MUTATIONS = (0, 1, 1, 1, 1, 2, 2, 3)
# Roles of the corpus for fields with artifacts; other fields take any role.
_ROLES = {
    "scene": ("scene",),
    "image": ("image",),
    "last_image": ("image",),
    "media": ("image", "linear", "video"),
    "linear": ("linear",),
    "map": ("map",),
    "environment": ("map", "image"),
    "environment_maps": ("map",),
    "light_basis": ("light_basis",),
    "video": ("video",),
    "control_clip": ("video",),
    "frames": ("frames",),
    "data": ("albedo", "normals"),
}
# Cheap valid values for fields whose bounds allow hours of work.
_CHEAP: dict[str, tuple[Any, ...]] = {
    "width_px": (16, 32, 48),
    "height_px": (16, 32, 24),
    "num_frames": (1, 2, 3),
    "num_images": (0, 1),
    "fps": (0.0, 12.0, 24.0),
    # Few scenes, so that their meshes are built once.
    "seed": (3, 4),
    "num_img_sets": (0, 1, 3),
    "num_videos": (0, 1, 3),
    "num_variants": (1, 2, 8),
    "min_age_s": (86_400, 10**6),
    "recipe_name": ("", "tiny.yaml"),
    "name": ("", "key-left"),
    "media_type": ("image/png", "text/plain", "image/x-exr"),
    "text": ("", "soft warm light from the left"),
    "description": ("a copper kettle on an oak table", ""),
    "prompt": ("a copper kettle", ""),
    "prompts": ("The image shows a jug.",),
    "theme": ("", "kitchens"),
    "subjects": ("jug",),
    "materials": ("copper",),
    "place": ("on an oak table", ""),
    "service": ("", "lumenmill.common.v1.ModelService"),
    "background_text": ("",),
    "edit_task_text": ("",),
    "t2v_task_text": ("",),
    "task_text": ("",),
    "instruction": ("",),
}


@dataclass
class MessageGenerator:
    """Generates messages from a corpus and a random number generator."""

    corpus: Corpus
    rng: Random

    def requests(self, rpc: Rpc) -> list[Message]:
        """Return the requests of one call: one message, or several for a stream."""
        descriptor = rpc.method.input_type
        if not rpc.method.client_streaming:
            return [self.semi_valid(descriptor)]
        return [self.semi_valid(descriptor, place) for place in range(self.rng.choice([0, 1, 2, 2, 3, 3]))]

    def semi_valid(self, descriptor: Descriptor, place: int = 0) -> Message:
        """Return a valid message with a few mutations or none; `place` is its position in a stream."""
        message = self.valid(descriptor, 0, place if place or self.rng.random() < 0.9 else None)
        for _ in range(self.rng.choice(_NUM_MUTATIONS)):
            self.mutate(message)
        if self.rng.random() < 0.05:
            self._double_oneof(message)
        return _harmless(message)

    def _double_oneof(self, message: Message) -> None:
        """Merge several members of a oneof as a parser does: the last one counts."""
        for oneof in _real_oneofs(message.DESCRIPTOR):
            for field in self.rng.sample(list(oneof.fields), 2):
                more = type(message)()
                self._set(more, field, 0)
                message.MergeFromString(more.SerializeToString())
        inner = [value for field, value in message.ListFields() if field.message_type and not field.is_repeated]
        if inner:
            self._double_oneof(self.rng.choice(inner))

    # Valid values.

    def valid(self, descriptor: Descriptor, depth: int, place: int | None = None) -> Message:
        """Return a message within the bounds of its fields.

        `place` chooses the member of each oneof by the position in a stream; None chooses randomly.
        """
        message = GetMessageClass(descriptor)()
        if isinstance(message, artifact_pb2.Artifact):
            return self._artifact("")
        members = [list(oneof.fields) for oneof in _real_oneofs(descriptor)]
        chosen = {
            (self.rng.choice(fields) if place is None or depth else fields[min(place, len(fields) - 1)]).name
            for fields in members
        }
        for field in descriptor.fields:
            in_oneof = field.containing_oneof is not None and not _is_optional(field)
            included = field.name in chosen if in_oneof else self._is_included(field, depth)
            if included:
                self._set(message, field, depth)
        return message

    def _is_included(self, field: FieldDescriptor, depth: int) -> bool:
        rules = _rules(field)
        if rules.required or rules.string.min_len or rules.repeated.min_items or rules.enum.not_in:
            return True
        if field.name == "request_id":
            return True
        if field.name in _ALMOST_ALWAYS:
            return self.rng.random() < 0.95
        return self.rng.random() < (0.35 if depth < _DEEPEST else 0.0)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if _is_map(field):
            return
        if field.is_repeated:
            rules = _rules(field).repeated
            most = min(rules.max_items or 3, max(3, rules.min_items))
            for _ in range(self.rng.randint(max(rules.min_items, 1), max(most, 1))):
                self._add(message, field, depth)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(self._valid_message(field, depth))
        else:
            setattr(message, field.name, self._scalar(field, _rules(field)))

    def _add(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        values = getattr(message, field.name)
        if field.message_type is not None:
            values.append(self._valid_message(field, depth))
        else:
            values.append(self._scalar(field, _rules(field).repeated.items))

    def _valid_message(self, field: FieldDescriptor, depth: int) -> Message:
        if field.message_type.full_name == "lumenmill.common.v1.Artifact":
            return self._artifact(field.name)
        if field.message_type.full_name == "google.protobuf.Struct":
            return self._struct()
        return self.valid(field.message_type, depth + 1)

    def _scalar(self, field: FieldDescriptor, rules: Any) -> Any:
        known = self._known(field)
        if known:
            return self.rng.choice(known)
        if field.cpp_type == _F.CPPTYPE_STRING:
            contents = list(self.corpus.contents.values())
            return self.rng.choice(contents) if field.type == _F.TYPE_BYTES else "a" * (rules.string.min_len or 1)
        return self._number(field, rules)

    def _number(self, field: FieldDescriptor, rules: Any) -> Any:
        if field.cpp_type == _F.CPPTYPE_BOOL:
            return self.rng.random() < 0.5
        if field.cpp_type == _F.CPPTYPE_ENUM:
            return self.rng.choice([value.number for value in field.enum_type.values][1:] or [0])
        if field.cpp_type in _FLOATS:
            own = getattr(rules, _FLOATS[field.cpp_type])
            return self.rng.uniform(own.gte, own.lte or own.gte + 10.0)
        own = getattr(rules, "int32" if _INTEGERS[field.cpp_type] == 32 else "int64")
        return self.rng.randint(own.gte, min(own.lte or own.gte + 1000, own.gte + 1000))

    def _known(self, field: FieldDescriptor) -> tuple[Any, ...]:
        """Return values to try for a field of this name; nothing when any value is suitable."""
        place = f"{field.containing_type.name}.{field.name}"
        fresh = (f"fuzz-{next(_IDS)}",)
        by_place: dict[str, tuple[Any, ...]] = {"SubmitRunRequest.run_id": fresh, "SceneDescription.kind": (0, 1)}
        by_name: dict[str, tuple[Any, ...]] = {
            "request_id": fresh,
            "run_id": (*self.corpus.run_ids, "unknown"),
            "more_run_ids": (*self.corpus.run_ids, "unknown"),
            "sample_id": tuple(self.corpus.sample_ids),
            "recipe": (RECIPE, bad_recipe(self.rng, RECIPE)) if field.name == "recipe" else (),
            "sha256": tuple(artifact.sha256 for artifact in self.corpus.artifacts.values()),
            "preset": ("fast",) if field.file.package in _WITH_PRESETS else ("",),
            "page_token": ("",),
        }
        return by_place.get(place) or by_name.get(field.name) or _CHEAP.get(field.name, ())

    def _artifact(self, field_name: str) -> artifact_pb2.Artifact:
        role = self.rng.choice(_ROLES.get(field_name, tuple(self.corpus.artifacts)))
        if self.rng.random() < 0.15:
            role = self.rng.choice(list(self.corpus.artifacts))
        artifact = artifact_pb2.Artifact()
        artifact.CopyFrom(self.corpus.artifacts[role])
        kind = self.rng.random()
        if kind < 0.3:
            content = mutated_content(self.rng, self.corpus.contents[role])
            return artifact_pb2.Artifact(inline_data=content, media_type=artifact.media_type)
        if kind < 0.4:
            artifact.uri = bad_uri(self.rng, artifact.uri)
        elif kind < 0.5:
            self.mutate(artifact)
        return artifact

    def _struct(self) -> struct_pb2.Struct:
        struct = struct_pb2.Struct()
        for name in self.rng.sample(["prompts", "width", "seed", "unknown"], self.rng.randint(0, 2)):
            struct.fields[name].CopyFrom(bad_json(self.rng))
        return struct

    # Wrong values.

    def mutate(self, message: Message) -> None:
        """Mutate one field of a message, at any depth."""
        fields = [field for field in message.DESCRIPTOR.fields if not _is_map(field)]
        if not fields:
            return
        field = self.rng.choice(fields)
        if field.is_repeated:
            self._mutate_repeated(message, field)
        elif field.message_type is not None:
            self._mutate_message(message, field)
        else:
            setattr(message, field.name, self._wrong(field, _rules(field)))

    def _mutate_message(self, message: Message, field: FieldDescriptor) -> None:
        kind = self.rng.random()
        if kind < 0.1:
            message.ClearField(field.name)
        elif kind < 0.2:
            getattr(message, field.name).Clear()
            getattr(message, field.name).SetInParent()
        elif field.message_type.full_name == "google.protobuf.Struct":
            getattr(message, field.name).fields[bad_string(self.rng, 50)].CopyFrom(bad_json(self.rng))
        else:
            if not message.HasField(field.name):
                self._set(message, field, 3)
            self.mutate(getattr(message, field.name))

    def _mutate_repeated(self, message: Message, field: FieldDescriptor) -> None:
        values = getattr(message, field.name)
        if not values:
            self._add(message, field, 3)
        kind = self.rng.random()
        if kind < 0.15:
            message.ClearField(field.name)
        elif kind < 0.3:
            values.extend([values[0]] * self.rng.choice([1, _rules(field).repeated.max_items or 50, 2000]))
        elif field.message_type is not None:
            self.mutate(self.rng.choice(values))
        else:
            values[0] = self._wrong(field, _rules(field).repeated.items)

    def _wrong(self, field: FieldDescriptor, rules: Any) -> Any:
        if field.cpp_type == _F.CPPTYPE_STRING:
            return bad_bytes(self.rng) if field.type == _F.TYPE_BYTES else self._wrong_text(field, rules)
        if field.cpp_type == _F.CPPTYPE_BOOL:
            return self.rng.random() < 0.5
        if field.cpp_type == _F.CPPTYPE_ENUM:
            return bad_enum(self.rng)
        if field.cpp_type in _FLOATS:
            own = getattr(rules, _FLOATS[field.cpp_type])
            return bad_float(self.rng, own.gte, own.lte)
        bits = _INTEGERS[field.cpp_type]
        own = getattr(rules, f"int{bits}")
        return bad_integer(self.rng, bits, field.cpp_type in _UNSIGNED, own.gte, own.lte)

    def _wrong_text(self, field: FieldDescriptor, rules: Any) -> str:
        if field.name == "recipe":
            return bad_recipe(self.rng, RECIPE)
        if field.name == "uri":
            return bad_uri(self.rng, self.rng.choice(list(self.corpus.artifacts.values())).uri)
        return bad_string(self.rng, rules.string.max_len or 200)


_IDS = itertools.count()


def _harmless(message: Message) -> Message:
    """Return the message, changed to a dry run if it would delete the corpus."""
    if isinstance(message, artifact_service_pb2.CollectGarbageRequest) and message.HasField("min_age_s"):
        message.dry_run |= message.min_age_s < _YOUNG_S
    return message


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_optional(field: FieldDescriptor) -> bool:
    return len(field.containing_oneof.fields) == 1


def _real_oneofs(descriptor: Descriptor) -> list[Any]:
    return [oneof for oneof in descriptor.oneofs if len(oneof.fields) > 1]
