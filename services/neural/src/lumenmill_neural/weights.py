"""The checkpoints that a model needs: its own, those of its parts and of its adapters. Used by `host` and by
`fetch`."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import Catalogue, ModelEntry, with_own_models
from lumenmill_neural.checkpoint import find_checkpoint
from lumenmill_neural.context_parallel.entry import with_context_parallelism
from lumenmill_neural.profile import with_profile
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint, CheckpointSource, source_at

__all__ = ["ServiceModels", "Weights", "entry_of"]

_PARTS_SETTING = "LUMENMILL_PART_CHECKPOINTS"


@dataclass(frozen=True)
class ServiceModels:
    """The models of a service, for `python -m lumenmill_neural.fetch`: `MODELS` in the service's module `models`, which
    must not import torch."""

    settings_type: type[NeuralSettings]
    catalogue: Callable[[Any], Catalogue]
    """Returns the catalogue for settings of that type."""
    unused_parts: Callable[[Any], Set[str]] = lambda settings: frozenset()
    """Returns the parts that a model with settings of that type does not need."""


def entry_of(settings: NeuralSettings, catalogue: Catalogue) -> ModelEntry:
    """Return the catalogue's entry of the model that the settings name, with the profile and the GPUs of the settings.

    Raises:
        FailedPreconditionError: neither the catalogue nor the operator's own file has the model, the model lacks the
            profile, or it does not support several GPUs.
    """
    models = with_own_models(catalogue, settings.presets_file)
    if settings.model not in models:
        raise FailedPreconditionError(f"is none of {', '.join(models)}", "LUMENMILL_MODEL")
    entry = with_profile(models[settings.model], settings)
    if settings.gpus == 1:
        return entry
    return with_context_parallelism(entry, settings)


class Weights:
    """The checkpoints of one model, each fetched when it is first asked for."""

    def __init__(self, entry: ModelEntry, settings: NeuralSettings, store: ArtifactStore) -> None:
        self._entry, self._settings, self._store = entry, settings, store
        self._own: Checkpoint | None = None

    def own(self) -> Checkpoint:
        """Return the model's own checkpoint. Errors as `find_checkpoint`."""
        if self._own is None:
            settings, entry = self._settings, self._entry
            self._own = find_checkpoint(
                CheckpointSource(
                    location=settings.checkpoint or entry.checkpoint,
                    revision=settings.checkpoint_revision or ("" if settings.checkpoint else entry.revision),
                    offline=settings.offline,
                    cache_dir=settings.cache_dir,
                    variant=entry.variant,
                    takes_newest=not settings.checkpoint,
                ),
                self._store,
            )
        return self._own

    def part(self, name: str) -> tuple[Checkpoint, bool] | None:
        """Return the checkpoint of a part, and whether it lies in the model's own checkpoint.

        It is what LUMENMILL_PART_CHECKPOINTS names, else the folder of its name in the model's own checkpoint, else the
        hub repository in `presets.yaml`. None if the part is left out: LUMENMILL_PART_CHECKPOINTS has an empty name for
        it, or the model consists of parts only and its LUMENMILL_CHECKPOINT lacks the folder. Errors as
        `find_checkpoint`.
        """
        named = self._settings.part_checkpoints.get(name)
        has_only_parts = not self._entry.checkpoint
        if named == "":
            return None
        if named is None and (self._settings.checkpoint or not has_only_parts):
            own = self.own()
            if (own.folder / name).is_dir():
                return Checkpoint(own.folder / name, own.revision), True
            if has_only_parts:
                return None
        entry = self._entry.parts[name]
        return self._other(name, entry.checkpoint, entry.revision, entry.files), False

    def adapter(self, name: str) -> Checkpoint:
        """Return the checkpoint of one of the model's own adapters. Errors as `find_checkpoint`."""
        entry = self._entry.adapters[name]
        return self._other(name, entry.checkpoint, entry.revision, (entry.weight_name,) if entry.weight_name else ())

    def _other(self, name: str, checkpoint: str, revision: str, files: tuple[str, ...]) -> Checkpoint:
        settings = self._settings
        where = settings.offline, settings.cache_dir, files
        named = settings.part_checkpoints.get(name)
        source = source_at(named, *where) if named else CheckpointSource(checkpoint, revision, *where)
        try:
            return find_checkpoint(source, self._store)
        except FailedPreconditionError as error:
            raise FailedPreconditionError(
                f"{name}: {error.message.removeprefix(f'{error.field}: ')}", _PARTS_SETTING
            ) from error

    def all(self, unused_parts: Set[str] = frozenset()) -> Iterator[tuple[str, Checkpoint]]:
        """Yield every checkpoint that loading the model needs, each with its name."""
        if self._entry.checkpoint or self._settings.checkpoint:
            yield "model", self.own()
        for name in self._entry.parts:
            found = self.part(name) if name not in unused_parts else None
            if found is not None:
                yield f"part {name}", found[0]
        for name in self._entry.adapters:
            yield f"adapter {name}", self.adapter(name)
