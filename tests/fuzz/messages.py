"""Messages of any type from its descriptor: valid by the bounds of the contract, then spoilt in a few places.

A message that is wrong everywhere is refused at the door and proves little; one that is right but for one value goes as
deep as that value goes.
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

from .contents import spoilt_content
from .contracts import Rpc
from .nasty import (
    nasty_bytes,
    nasty_enum,
    nasty_float,
    nasty_integer,
    nasty_json,
    nasty_recipe,
    nasty_string,
    nasty_uri,
)
from .stock import RECIPE, Stock

__all__ = ["Maker"]

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
_SPOILT_PLACES = (0, 1, 1, 1, 1, 2, 2, 3)
# Which of the stock a field of artifacts is meant to hold; what is not here takes any.
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
# Values that keep what is valid cheap, for fields whose bounds allow hours of work.
_CHEAP: dict[str, tuple[Any, ...]] = {
    "width_px": (16, 32, 48),
    "height_px": (16, 32, 24),
    "num_frames": (1, 2, 3),
    "num_images": (0, 1),
    "fps": (0.0, 12.0, 24.0),
    # Few scenes, whose meshes are built once.
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
class Maker:
    """Makes messages out of a stock and a source of choices."""

    stock: Stock
    choices: Random

    def requests(self, rpc: Rpc) -> list[Message]:
        """What one call sends: one message, or a stream of some."""
        descriptor = rpc.method.input_type
        if not rpc.method.client_streaming:
            return [self.semi_valid(descriptor)]
        return [self.semi_valid(descriptor, place) for place in range(self.choices.choice([0, 1, 2, 2, 3, 3]))]

    def semi_valid(self, descriptor: Descriptor, place: int = 0) -> Message:
        """A valid message, spoilt in a few places or none; in a stream, that of a place."""
        message = self.valid(descriptor, 0, place if place or self.choices.random() < 0.9 else None)
        for _ in range(self.choices.choice(_SPOILT_PLACES)):
            self.spoil(message)
        if self.choices.random() < 0.05:
            self._double_oneof(message)
        return _harmless(message)

    def _double_oneof(self, message: Message) -> None:
        """What comes out of a wire that carried several members of a oneof: the last one counts."""
        for oneof in _real_oneofs(message.DESCRIPTOR):
            for field in self.choices.sample(list(oneof.fields), 2):
                more = type(message)()
                self._set(more, field, 0)
                message.MergeFromString(more.SerializeToString())
        inner = [value for field, value in message.ListFields() if field.message_type and not field.is_repeated]
        if inner:
            self._double_oneof(self.choices.choice(inner))

    # Valid values.

    def valid(self, descriptor: Descriptor, depth: int, place: int | None = None) -> Message:
        """A message within the bounds of its contract, as far as bounds of single fields tell.

        `place` chooses the member of each oneof that stands there in a stream, instead of any.
        """
        message = GetMessageClass(descriptor)()
        if isinstance(message, artifact_pb2.Artifact):
            return self._artifact("")
        members = [list(oneof.fields) for oneof in _real_oneofs(descriptor)]
        chosen = {
            (self.choices.choice(fields) if place is None or depth else fields[min(place, len(fields) - 1)]).name
            for fields in members
        }
        for field in descriptor.fields:
            in_oneof = field.containing_oneof is not None and not _is_optional(field)
            wanted = field.name in chosen if in_oneof else self._is_wanted(field, depth)
            if wanted:
                self._set(message, field, depth)
        return message

    def _is_wanted(self, field: FieldDescriptor, depth: int) -> bool:
        rules = _rules(field)
        if rules.required or rules.string.min_len or rules.repeated.min_items or rules.enum.not_in:
            return True
        if field.name == "request_id":
            return True
        if field.name in _ALMOST_ALWAYS:
            return self.choices.random() < 0.95
        return self.choices.random() < (0.35 if depth < _DEEPEST else 0.0)

    def _set(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if _is_map(field):
            return
        if field.is_repeated:
            rules = _rules(field).repeated
            most = min(rules.max_items or 3, max(3, rules.min_items))
            for _ in range(self.choices.randint(max(rules.min_items, 1), max(most, 1))):
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
            return self.choices.choice(known)
        if field.cpp_type == _F.CPPTYPE_STRING:
            contents = list(self.stock.contents.values())
            return self.choices.choice(contents) if field.type == _F.TYPE_BYTES else "a" * (rules.string.min_len or 1)
        return self._number(field, rules)

    def _number(self, field: FieldDescriptor, rules: Any) -> Any:
        if field.cpp_type == _F.CPPTYPE_BOOL:
            return self.choices.random() < 0.5
        if field.cpp_type == _F.CPPTYPE_ENUM:
            return self.choices.choice([value.number for value in field.enum_type.values][1:] or [0])
        if field.cpp_type in _FLOATS:
            own = getattr(rules, _FLOATS[field.cpp_type])
            return self.choices.uniform(own.gte, own.lte or own.gte + 10.0)
        own = getattr(rules, "int32" if _INTEGERS[field.cpp_type] == 32 else "int64")
        return self.choices.randint(own.gte, min(own.lte or own.gte + 1000, own.gte + 1000))

    def _known(self, field: FieldDescriptor) -> tuple[Any, ...]:
        """What is worth a try in a field of this name; nothing where any value will do."""
        place = f"{field.containing_type.name}.{field.name}"
        fresh = (f"fuzz-{next(_IDS)}",)
        by_place: dict[str, tuple[Any, ...]] = {"SubmitRunRequest.run_id": fresh, "SceneDescription.kind": (0, 1)}
        by_name: dict[str, tuple[Any, ...]] = {
            "request_id": fresh,
            "run_id": (*self.stock.run_ids, "nobody"),
            "more_run_ids": (*self.stock.run_ids, "nobody"),
            "sample_id": tuple(self.stock.sample_ids),
            "recipe": (RECIPE, nasty_recipe(self.choices, RECIPE)) if field.name == "recipe" else (),
            "sha256": tuple(artifact.sha256 for artifact in self.stock.artifacts.values()),
            "preset": ("fast",) if field.file.package in _WITH_PRESETS else ("",),
            "page_token": ("",),
        }
        return by_place.get(place) or by_name.get(field.name) or _CHEAP.get(field.name, ())

    def _artifact(self, field_name: str) -> artifact_pb2.Artifact:
        role = self.choices.choice(_ROLES.get(field_name, tuple(self.stock.artifacts)))
        if self.choices.random() < 0.15:
            role = self.choices.choice(list(self.stock.artifacts))
        artifact = artifact_pb2.Artifact()
        artifact.CopyFrom(self.stock.artifacts[role])
        kind = self.choices.random()
        if kind < 0.3:
            content = spoilt_content(self.choices, self.stock.contents[role])
            return artifact_pb2.Artifact(inline_data=content, media_type=artifact.media_type)
        if kind < 0.4:
            artifact.uri = nasty_uri(self.choices, artifact.uri)
        elif kind < 0.5:
            self.spoil(artifact)
        return artifact

    def _struct(self) -> struct_pb2.Struct:
        struct = struct_pb2.Struct()
        for name in self.choices.sample(["prompts", "width", "seed", "unknown"], self.choices.randint(0, 2)):
            struct.fields[name].CopyFrom(nasty_json(self.choices))
        return struct

    # Wrong values.

    def spoil(self, message: Message) -> None:
        """Makes one place of a message wrong, as deep as it likes."""
        fields = [field for field in message.DESCRIPTOR.fields if not _is_map(field)]
        if not fields:
            return
        field = self.choices.choice(fields)
        if field.is_repeated:
            self._spoil_repeated(message, field)
        elif field.message_type is not None:
            self._spoil_message(message, field)
        else:
            setattr(message, field.name, self._wrong(field, _rules(field)))

    def _spoil_message(self, message: Message, field: FieldDescriptor) -> None:
        kind = self.choices.random()
        if kind < 0.1:
            message.ClearField(field.name)
        elif kind < 0.2:
            getattr(message, field.name).Clear()
            getattr(message, field.name).SetInParent()
        elif field.message_type.full_name == "google.protobuf.Struct":
            getattr(message, field.name).fields[nasty_string(self.choices, 50)].CopyFrom(nasty_json(self.choices))
        else:
            if not message.HasField(field.name):
                self._set(message, field, 3)
            self.spoil(getattr(message, field.name))

    def _spoil_repeated(self, message: Message, field: FieldDescriptor) -> None:
        values = getattr(message, field.name)
        if not values:
            self._add(message, field, 3)
        kind = self.choices.random()
        if kind < 0.15:
            message.ClearField(field.name)
        elif kind < 0.3:
            values.extend([values[0]] * self.choices.choice([1, _rules(field).repeated.max_items or 50, 2000]))
        elif field.message_type is not None:
            self.spoil(self.choices.choice(values))
        else:
            values[0] = self._wrong(field, _rules(field).repeated.items)

    def _wrong(self, field: FieldDescriptor, rules: Any) -> Any:
        if field.cpp_type == _F.CPPTYPE_STRING:
            return nasty_bytes(self.choices) if field.type == _F.TYPE_BYTES else self._wrong_text(field, rules)
        if field.cpp_type == _F.CPPTYPE_BOOL:
            return self.choices.random() < 0.5
        if field.cpp_type == _F.CPPTYPE_ENUM:
            return nasty_enum(self.choices)
        if field.cpp_type in _FLOATS:
            own = getattr(rules, _FLOATS[field.cpp_type])
            return nasty_float(self.choices, own.gte, own.lte)
        bits = _INTEGERS[field.cpp_type]
        own = getattr(rules, f"int{bits}")
        return nasty_integer(self.choices, bits, field.cpp_type in _UNSIGNED, own.gte, own.lte)

    def _wrong_text(self, field: FieldDescriptor, rules: Any) -> str:
        if field.name == "recipe":
            return nasty_recipe(self.choices, RECIPE)
        if field.name == "uri":
            return nasty_uri(self.choices, self.choices.choice(list(self.stock.artifacts.values())).uri)
        return nasty_string(self.choices, rules.string.max_len or 200)


_IDS = itertools.count()


def _harmless(message: Message) -> Message:
    """The message, unless it would take away the stock that others name."""
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
