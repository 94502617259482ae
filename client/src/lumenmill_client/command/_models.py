"""The tables of `lumenmill models`."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lumenmill.common.v1 import model_pb2
from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["models_table"]


def models_table(models: Sequence[run_pb2.RegisteredModel]) -> Group:
    """Return a table of the models, and a second one of their revisions, which are long."""
    known = _table("model", "state", "device", "contracts", "presets")
    for entry in models:
        model = entry.model
        known.add_row(
            entry.name,
            "ready" if entry.ready else "unavailable",
            _device(model),
            ", ".join(contract.split(".")[1] for contract in model.contracts),
            ", ".join(preset.name for preset in model.presets) or "—",
        )
    revisions = _table("model", "revision")
    for entry in models:
        if entry.model.revision:
            revisions.add_row(entry.name, entry.model.revision)
    return Group(known, Text(), revisions) if revisions.row_count else Group(known)


def _device(model: model_pb2.Model) -> str:
    """Return profile and placement of a neural model, from its presets, and the device."""
    stated = dict(model.presets[0].parameters) if model.presets else {}
    how = [str(stated[name]).replace("_", " ") for name in ("profile", "placement") if name in stated]
    return ", ".join(how) + (" on " if how and model.device else "") + model.device or "—"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    return table
