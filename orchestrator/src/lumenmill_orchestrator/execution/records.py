"""Generation records in results: what made them."""

from typing import Any

from google.protobuf.message import Message

from lumenmill.common.v1 import generation_pb2
from lumenmill_orchestrator.recipe import MISSING

__all__ = ["records_in", "result_revision"]


def records_in(value: Any) -> list[generation_pb2.GenerationRecord]:
    """Return the records in an item or a result, including its direct parts."""
    if isinstance(value, list):
        return [record for element in value if element is not MISSING for record in records_in(element)]
    if not isinstance(value, Message):
        return []
    found: list[generation_pb2.GenerationRecord] = []
    for field, part in value.ListFields():
        if field.message_type is generation_pb2.GenerationRecord.DESCRIPTOR:
            found.append(part)
        elif field.is_repeated and field.message_type is not None and "record" in field.message_type.fields_by_name:
            found += [element.record for element in part if element.HasField("record")]
    return found


def result_revision(result: Message) -> str:
    """Return the revision of the model that made a result, from its first record; empty when it has none."""
    records = records_in(result)
    return str(records[0].revision) if records else ""
