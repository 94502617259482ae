"""The revision of a loaded model, which is part of every content key."""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version

from lumenmill_neural.catalogue import ModelEntry
from lumenmill_neural.settings import NeuralSettings

__all__ = ["revision_of"]

_PART_DIGITS = 12
_ENTRY_DIGITS = 8


def revision_of(own: str, parts: Iterable[tuple[str, str]], entry: ModelEntry, settings: NeuralSettings) -> str:
    """Return the revision of a model from the revision of its own checkpoint (empty if it has none), the names and
    revisions of its parts and adapters, and everything else that changes results: its entry, the settings and the
    library."""
    named = [f"{name}@{_short(revision)}" for name, revision in parts]
    digest = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()[:_ENTRY_DIGITS]
    how = [
        "" if settings.profile == "lossless" else f"profile@{settings.profile}",
        settings.attention_backend,
        "compiled" if settings.compile else "",
        "fp8" if settings.fp8 else "",
        f"gpus{settings.gpus}" if settings.gpus > 1 else "",
    ]
    return "+".join(filter(None, [own, *named, f"entry@{digest}", *how, f"diffusers{version('diffusers')}"]))


def _short(revision: str) -> str:
    return revision.removeprefix("sha256:")[:_PART_DIGITS]
