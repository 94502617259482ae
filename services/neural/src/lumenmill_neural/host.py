"""One model as a pod hosts it: its entry in the catalogue, its weights on a device, the record of its results."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from lumenmill.common.v1 import generation_pb2, model_pb2
from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, UnavailableError
from lumenmill_common.jobs import JobContext
from lumenmill_common.telemetry import get_logger

from lumenmill_neural.adapters import Adapters
from lumenmill_neural.beside import Beside
from lumenmill_neural.catalogue import (
    Catalogue,
    ModelEntry,
    Placement,
    PresetEntry,
    Tier,
)
from lumenmill_neural.device import Device, find_device
from lumenmill_neural.divisible import GPUS_SETTING
from lumenmill_neural.division import Leader, Role
from lumenmill_neural.embeddings import keep_prompt_embeddings
from lumenmill_neural.float8 import float8_arguments
from lumenmill_neural.hub import holds_variant
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.pace import Pace
from lumenmill_neural.placing import Placing, denoisers_of
from lumenmill_neural.plan import Plan
from lumenmill_neural.profile import speed_ups
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint
from lumenmill_neural.step_cache import turn_to_cache
from lumenmill_neural.weights import Weights, entry_of

__all__ = ["ModelHost"]

_log = get_logger(__name__)
# Of the revision of a part in the revision of the whole.
_PART_REVISION_DIGITS = 12
_ENTRY_DIGITS = 8
_NOT_STATED = "LicenseRef-operator-supplied"
# Images or variants of one request, as the contracts bound them.
_MAX_PER_REQUEST = 64


class ModelHost:
    """Loads the model of the settings and answers for it.

    Requests are planned, described and recorded in any thread; loading and running belong to the worker's.
    """

    def __init__(
        self, settings: NeuralSettings, store: ArtifactStore, catalogue: Catalogue, role: Role | None = None
    ) -> None:
        """`catalogue` is that of the service. `role`: this process's part where others lead a division over several
        GPUs; absent: it leads, where the settings name several.

        Raises:
            FailedPreconditionError: the settings name a model that neither it nor the operator's own file has, or a
                profile that the model does not have, or several GPUs for a model that cannot be divided.
        """
        self.settings, self.store, self.name = settings, store, settings.model
        self.entry: ModelEntry = entry_of(settings, catalogue)
        self._role = role or (Leader(settings) if settings.gpus > 1 else None)
        self.weights = Weights(self.entry, settings, store)
        self.pace = Pace()
        self._device: Device | None = None
        self._checkpoint: Checkpoint | None = None
        self._parts: dict[str, str] = {}
        """Parts that were found, and their revisions; empty for those that the model's own checkpoint holds."""
        self._adapters: dict[int, Adapters] = {}

    # Loading.

    @property
    def device(self) -> Device:
        """Where the model runs; found when it is first asked for."""
        if self._device is None:
            self._device = find_device(self.settings.device, self.settings.memory_limit_gib, self.settings.gpus)
        return self._device

    @cached_property
    def placing(self) -> Placing:
        """Where the weights are."""
        return Placing(self.entry, self.device)

    @cached_property
    def beside(self) -> Beside:
        """What the device does beside the worker's work."""
        return Beside(self.device)

    @property
    def decodes_beside(self) -> bool:
        """Whether there is room to decode what was denoised while the next is denoised."""
        return self.placing.is_usual and self.tier.decode_beside

    @property
    def tier(self) -> Tier:
        """How the device's memory is usually used: requests are planned by it, whatever another one makes do with."""
        return self.placing.usual_tier

    @property
    def max_batch_size(self) -> int:
        """Items of one call of a pipeline. One on the CPU, where batches gain nothing and round differently, so that a
        result never depends on what it was batched with."""
        return 1 if self.device.is_cpu else self.tier.max_batch_size

    def checkpoint(self) -> Checkpoint:
        """The weights on this machine's disk; brought here when first asked for. Errors as `find_checkpoint`."""
        if self._checkpoint is None:
            self._checkpoint = self.weights.own()
        return self._checkpoint

    def part(self, name: str) -> Checkpoint | None:
        """The checkpoint of a part of the model, as `Weights.part` finds it; None where it is left out."""
        found = self.weights.part(name)
        if found is None:
            return None
        checkpoint, is_of_own = found
        if is_of_own:
            self._checkpoint = self.weights.own()
        self._parts[name] = "" if is_of_own else checkpoint.revision.removeprefix("sha256:")[:_PART_REVISION_DIGITS]
        return checkpoint

    def load_pipeline(
        self,
        pipeline_class: Any,
        checkpoint: Checkpoint | None = None,
        set_up: Callable[[Any], None] | None = None,
        **parts: Any,
    ) -> Any:
        """A diffusers pipeline of the model's checkpoint, or of a part's, on the device. `parts` are given to
        `from_pretrained`, `set_up` changes the pipeline before its weights are placed.

        Raises:
            FailedPreconditionError: the checkpoint is missing, damaged, or not of this class.
        """
        folder, started_s = (checkpoint or self.checkpoint()).folder, time.monotonic()
        variant = self.entry.variant
        quantised = float8_arguments(self.device) if self.settings.fp8 else {}
        _log.info("loading", model=self.name, folder=str(folder))
        if self._role is not None:
            self._role.begin(pipeline_class, str(folder), self.entry, self.device)
        try:
            pipe = pipeline_class.from_pretrained(
                str(folder),
                dtype=self.device.dtype(self.entry.dtype),
                use_safetensors=True,
                local_files_only=True,
                **({"variant": variant} if variant and holds_variant(folder, variant) else {}),
                **quantised,
                **parts,
            )
            if set_up is not None:
                set_up(pipe)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise FailedPreconditionError(
                f"{folder} is no {pipeline_class.__name__}: {' '.join(str(error).split())[:500]}",
                "LUMENMILL_CHECKPOINT",
            ) from error
        self.adopt(pipe)
        _log.info("loaded", model=self.name, duration_s=round(time.monotonic() - started_s, 3))
        return pipe

    def adopt(self, pipe: Any) -> None:
        """Puts a pipeline under this host's care: adapters, attention, placement, kept embeddings."""
        pipe.set_progress_bar_config(disable=True)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()  # T5's dropout would make results random
        adapters = Adapters(pipe, self.entry, self.store, is_divided=self._role is not None)
        adapters.load_own(self.weights)
        self._adapters[id(pipe)] = adapters
        if hasattr(pipe, "encode_prompt"):
            keep_prompt_embeddings(pipe)
        self._accelerate(pipe)
        self.placing.add(pipe)

    def _accelerate(self, pipe: Any) -> None:
        denoisers = denoisers_of(pipe)
        if self._role is not None and len(denoisers) != 1:
            raise FailedPreconditionError(f"{self.name} has {len(denoisers)} denoisers; use one GPU", GPUS_SETTING)
        for denoiser in denoisers:
            if self.settings.attention_backend:
                try:
                    denoiser.set_attention_backend(self.settings.attention_backend)
                except (ValueError, RuntimeError, ImportError, AttributeError) as error:
                    raise FailedPreconditionError(
                        f"cannot be used: {' '.join(str(error).split())[:300]}", "LUMENMILL_ATTENTION_BACKEND"
                    ) from error
            if self._role is not None:
                self._role.divide(denoiser)
            if self.settings.compile:
                self._compile(denoiser)

    def _compile(self, denoiser: Any) -> None:
        """Step caches and layers that come from the host break the graph of a block."""
        if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
            raise FailedPreconditionError(
                "needs a C compiler on the path (gcc, and Python's headers), which this machine or image lacks",
                "LUMENMILL_COMPILE",
            )
        is_broken = any(preset.step_cache for preset in self.entry.presets.values()) or any(
            tier.placement is Placement.SEQUENTIAL_OFFLOAD for tier in self.entry.tiers
        )
        try:
            denoiser.compile_repeated_blocks(fullgraph=not is_broken)
        except (ValueError, AttributeError) as error:
            raise FailedPreconditionError(
                f"{self.name} has no blocks that can be compiled: {' '.join(str(error).split())[:300]}",
                "LUMENMILL_COMPILE",
            ) from error

    def warm_up(self, run: Callable[[], object]) -> None:
        """Makes a first, small call, which compiles and tunes what is to be. Where memory is too small for it, less is
        kept on the device from now on.

        Raises:
            ResourceExhaustedError: the model does not fit in any way.
        """
        with self.beside.working():
            run_in_batches([None], 1, lambda _: [run()], self, f"a first call of {self.name}")
            self.placing.settle()

    # The memory ladder; see `lumenmill_neural.memory`.

    def be_alone(self) -> bool:
        """See `Beside.keep_away`."""
        return self.beside.keep_away()

    def place_smaller(self) -> str:
        """See `Placing.place_smaller`."""
        return self.placing.place_smaller()

    def recover(self) -> None:
        """See `Placing.recover`."""
        self.placing.recover()

    # One request.

    def plan(self, preset_name: str) -> Plan:
        """The plan of a preset: the model's arguments, then the tier's, then the preset's.

        Raises:
            InvalidArgumentError: there is no such preset.
        """
        name, preset = self.entry.preset(preset_name)
        return Plan(name, preset, self.entry.arguments | self.tier.arguments | preset.arguments)

    def prepare(self, pipe: Any, plan: Plan, adapters: Sequence[Adapter] = ()) -> None:
        """Makes a pipeline ready for a plan: its adapters and its step cache. Errors as `Adapters.activate`."""
        self._adapters[id(pipe)].activate(plan.preset, adapters)
        for denoiser in denoisers_of(pipe):
            turn_to_cache(denoiser, plan.preset.step_cache)
        if self._role is not None:
            self._role.prepare(plan.preset_name, adapters)

    @contextmanager
    def paced(self, way: Hashable, num_units: float) -> Iterator[None]:
        """Learns how long work takes from what is done in it, and puts weights back where they usually are after it."""
        with self.beside.working():
            self.device.start_peak()
            started_s = time.monotonic()
            try:
                yield
                if self.placing.is_usual:  # what had to make do with less memory says nothing about the next
                    self.pace.observe(way, num_units, time.monotonic() - started_s)
            except BaseException:
                self.recover()
                raise
            finally:
                self.placing.place_as_usual()

    def as_run(self, plan: Plan) -> Plan:
        """The plan as it was run just now, for records: what the memory ladder changed is told, since tiles of the VAE
        are seen in the picture."""
        how = self.placing.described() | speed_ups(self.settings, plan.preset)
        return replace(plan, arguments=plan.arguments | how, peak_memory_bytes=self.device.peak_memory_bytes())

    def record(
        self, plan: Plan, job: JobContext, seed: int, parameters: Mapping[str, Any], adapters: Sequence[Adapter] = ()
    ) -> generation_pb2.GenerationRecord:
        """How a result was made; `plan` is that of `as_run`."""
        record = generation_pb2.GenerationRecord(
            family=self.entry.family,
            model=self.name,
            revision=self.revision,
            preset=plan.preset_name,
            seed=seed,
            stage_times=job.stage_times,
            device=self.device.name,
            peak_memory_bytes=plan.peak_memory_bytes,
            licences=[*self._licences(), *self._adapter_licences(plan.preset)],
        )
        for adapter in adapters:
            record.licences.add().CopyFrom(_terms(adapter))
        shown = {name: _plain(value) for name, value in (plan.arguments | dict(parameters)).items()}
        record.parameters.update(shown)
        return record

    # Of the model.

    @property
    def revision(self) -> str:
        """Of the weights, those of parts and of the model's own adapters included, and of what they are run with."""
        if self._checkpoint is None and not self._parts:
            raise UnavailableError("the model is being loaded")
        own = [self._checkpoint.revision] if self._checkpoint is not None else []
        parts = [f"{name}@{revision}" for name, revision in sorted(self._parts.items()) if revision]
        parts += [
            f"{name}@{revision.removeprefix('sha256:')[:_PART_REVISION_DIGITS]}"
            for adapters in self._adapters.values()
            for name, revision in sorted(adapters.own_revisions.items())
        ]
        # What fills in requests is part of the results too: an entry that was changed, kernels that round otherwise.
        entry = hashlib.sha256(self.entry.model_dump_json().encode()).hexdigest()[:_ENTRY_DIGITS]
        settings = self.settings
        profile = "" if settings.profile == "lossless" else f"profile@{settings.profile}"
        kernels = [settings.attention_backend, "compiled" if settings.compile else "", "fp8" if settings.fp8 else ""]
        division = f"gpus{settings.gpus}" if settings.gpus > 1 else ""
        run_with = [f"entry@{entry}", *filter(None, [profile, *kernels, division]), f"diffusers{version('diffusers')}"]
        return "+".join([*own, *parts, *run_with])

    def _licences(self) -> list[Licence]:
        entries = {name: self.entry.parts[name].licence for name in self._parts if name in self.entry.parts}
        parts = [licence.of(f"{self.name} {name}") for name, licence in sorted(entries.items()) if licence is not None]
        return [self.entry.licence.of(self.name), *parts]

    def _adapter_licences(self, preset: PresetEntry | None = None) -> list[Licence]:
        """Terms of the model's own adapters that are active, in a preset or in all; what nobody stated is not known."""
        return [
            entry.licence.of(f"{self.name} {name}")
            if entry.licence is not None
            else Licence(subject=f"{self.name} {name}", spdx_id=_NOT_STATED)
            for name, entry in self.entry.adapters.items()
            if entry.always or (preset is not None and name == preset.distilled_lora)
        ]

    def describe(self, **facts: Any) -> model_pb2.Model:
        """The model for GetModel; `facts` are the fields that the family knows.

        Raises:
            UnavailableError: it is not loaded yet.
        """
        entry, tier, how = self.entry, self.tier, self.placing.described_as_usual()
        model = model_pb2.Model(
            family=entry.family,
            name=self.name,
            revision=self.revision,
            licences=[*self._licences(), *self._adapter_licences()],
            device=self.device.name,
            limits=model_pb2.ModelLimits(
                max_width_px=entry.max_side_px,
                max_height_px=entry.max_side_px,
                size_multiple_px=entry.size_multiple_px,
                max_num_frames=entry.max_num_frames,
                max_batch_size=_MAX_PER_REQUEST,
            ),
            **facts,
        )
        for name, preset in entry.presets.items():
            shown = model.presets.add(name=name, description=preset.description)
            merged = entry.arguments | tier.arguments | preset.arguments | how | speed_ups(self.settings, preset)
            shown.parameters.update({key: _plain(value) for key, value in merged.items()})
        return model


def _terms(adapter: Adapter) -> Any:
    terms = type(adapter.weights.licence)()
    terms.CopyFrom(adapter.weights.licence)
    terms.subject = terms.subject or adapter.weights.name or f"adapter {adapter.weights.sha256[:16]}"
    terms.spdx_id = terms.spdx_id or _NOT_STATED
    return terms


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
