"""Which family of a service runs the model of a host."""

from collections.abc import Mapping
from typing import TypeVar

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.host import ModelHost

__all__ = ["family_type"]

FamilyT = TypeVar("FamilyT")


def family_type(host: ModelHost, families: Mapping[str, FamilyT]) -> FamilyT:
    """Return the one of a service's families, by name, that the entry of the host's model names.

    Raises:
        FailedPreconditionError: the service has no such family; names the file, the model and the known families.
    """
    name, own = host.entry.family, host.settings.presets_file
    if name in families:
        return families[name]
    file = f"{own} or presets.yaml" if own else "presets.yaml"
    known = ", ".join(sorted(families))
    raise FailedPreconditionError(f"{file}: {host.name}.family: {name} is none of {known} (FAMILIES of the service)")
