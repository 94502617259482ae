"""The licences that stand in the record of a result: those of the model, its parts and its adapters."""

from collections.abc import Collection

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_neural.catalogue import ModelEntry, PresetEntry

__all__ = ["licence_of_adapter", "licences_of"]

_NOT_STATED = "LicenseRef-operator-supplied"


def licences_of(
    name: str, entry: ModelEntry, parts: Collection[str], preset: PresetEntry | None = None
) -> list[Licence]:
    """Return the licences of a model, of those of its parts that were loaded, and of its own adapters that are active:
    in `preset`, or in every preset without one. An adapter without a stated licence is marked as such."""
    part_licences = {part: entry.parts[part].licence for part in parts if part in entry.parts}
    return [
        entry.licence.of(name),
        *(licence.of(f"{name} {part}") for part, licence in sorted(part_licences.items()) if licence is not None),
        *(
            adapter.licence.of(f"{name} {own}")
            if adapter.licence is not None
            else Licence(subject=f"{name} {own}", spdx_id=_NOT_STATED)
            for own, adapter in entry.adapters.items()
            if adapter.always or (preset is not None and own == preset.distilled_lora)
        ),
    ]


def licence_of_adapter(adapter: Adapter) -> Licence:
    """Return the licence of a request's adapter."""
    licence = Licence()
    licence.CopyFrom(adapter.weights.licence)
    licence.subject = licence.subject or adapter.weights.name or f"adapter {adapter.weights.sha256[:16]}"
    licence.spdx_id = licence.spdx_id or _NOT_STATED
    return licence
