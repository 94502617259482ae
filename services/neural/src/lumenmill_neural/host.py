"""The model that a process hosts: loading, the execution of requests, and the records of their results."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from lumenmill.common.v1 import generation_pb2, model_pb2
from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, UnavailableError
from lumenmill_common.jobs import JobContext
from lumenmill_common.telemetry import get_logger
from lumenmill_neural.acceleration import compile_blocks, set_attention_backend
from lumenmill_neural.adapters import Adapters
from lumenmill_neural.catalogue import Catalogue, ModelEntry, Tier
from lumenmill_neural.context_parallel.entry import GPUS_SETTING
from lumenmill_neural.context_parallel.rank_zero import RankZero
from lumenmill_neural.context_parallel.role import Role
from lumenmill_neural.device import Device, find_device
from lumenmill_neural.embeddings import cache_prompt_embeddings
from lumenmill_neural.float8 import float8_arguments
from lumenmill_neural.hub import holds_variant
from lumenmill_neural.licences import licence_of_adapter, licences_of
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.offload import OffloadPolicy, denoisers_of
from lumenmill_neural.overlapped import OverlappedWork
from lumenmill_neural.plan import Plan
from lumenmill_neural.profile import speed_parameters
from lumenmill_neural.revision import revision_of
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.source import Checkpoint
from lumenmill_neural.step_cache import set_step_cache
from lumenmill_neural.throughput import Throughput
from lumenmill_neural.weights import Weights, entry_of

__all__ = ["ModelHost"]

_log = get_logger(__name__)
# Images or variants of one request: the bound of the contracts.
_MAX_PER_REQUEST = 64


class ModelHost:
    """Load the model of the settings, and describe and record what it does.

    Any thread may plan, describe and record; only the worker's thread loads and executes.
    """

    def __init__(
        self, settings: NeuralSettings, store: ArtifactStore, catalogue: Catalogue, role: Role | None = None
    ) -> None:
        """`catalogue` is that of the service. `role` is given in the processes of ranks above 0; without it, this
        process is rank 0 if the settings ask for several GPUs.

        Raises:
            FailedPreconditionError: neither the catalogue nor the operator's own file has the model, the model lacks
                the profile, or it does not support several GPUs.
        """
        self.settings, self.store, self.name = settings, store, settings.model
        self.entry: ModelEntry = entry_of(settings, catalogue)
        self._role = role or (RankZero(settings) if settings.gpus > 1 else None)
        self.weights = Weights(self.entry, settings, store)
        self.throughput = Throughput()
        self._device: Device | None = None
        self._checkpoint: Checkpoint | None = None
        self._parts: dict[str, str] = {}
        """Revisions of the parts that were found, by name; empty for those in the model's own checkpoint."""
        self._adapters: dict[int, Adapters] = {}

    # Loading.

    @property
    def device(self) -> Device:
        """The device that the model runs on; found at the first access."""
        if self._device is None:
            self._device = find_device(self.settings.device, self.settings.memory_limit_gib, self.settings.gpus)
        return self._device

    @cached_property
    def offload(self) -> OffloadPolicy:
        """Which weights stay in device memory."""
        return OffloadPolicy(self.entry, self.device)

    @cached_property
    def overlapped(self) -> OverlappedWork:
        """Work on the device that overlaps the worker's."""
        return OverlappedWork(self.device)

    @property
    def overlaps_decoding(self) -> bool:
        """Whether there is memory to decode one clip while the next is denoised."""
        return self.offload.is_default and self.tier.overlap_decoding

    @property
    def tier(self) -> Tier:
        """The tier that requests are planned by, even while a request is executed with a smaller one."""
        return self.offload.default_tier

    @property
    def max_batch_size(self) -> int:
        """Images of one call of a pipeline. One on the CPU, where batches are no faster and round differently: results
        do not depend on what else is in the batch."""
        return 1 if self.device.is_cpu else self.max_queued_batch_size

    @property
    def max_queued_batch_size(self) -> int:
        """Jobs that the worker takes from the queue at once: as many as the memory tier and the settings allow."""
        return min(self.settings.batch_size or self.tier.max_batch_size, self.tier.max_batch_size)

    def checkpoint(self) -> Checkpoint:
        """Return the model's own checkpoint; fetch it at the first call. Errors as `find_checkpoint`."""
        if self._checkpoint is None:
            self._checkpoint = self.weights.own()
        return self._checkpoint

    def part(self, name: str) -> Checkpoint | None:
        """Return the checkpoint of a part of the model, as `Weights.part` finds it; None if it is left out."""
        found = self.weights.part(name)
        if found is None:
            return None
        checkpoint, is_in_own = found
        if is_in_own:
            self._checkpoint = self.weights.own()
        self._parts[name] = "" if is_in_own else checkpoint.revision
        return checkpoint

    def load_pipeline(
        self,
        pipeline_class: Any,
        checkpoint: Checkpoint | None = None,
        set_up: Callable[[Any], None] | None = None,
        **parts: Any,
    ) -> Any:
        """Load a diffusers pipeline from the model's own checkpoint, or from that of a part, and place it on the
        device. `parts` are arguments of `from_pretrained`; `set_up` changes the pipeline before its weights are placed.

        Raises:
            FailedPreconditionError: the checkpoint is missing, damaged, or of another class.
        """
        folder, started_s = (checkpoint or self.checkpoint()).folder, time.monotonic()
        variant = self.entry.variant
        quantisation = float8_arguments(self.device) if self.settings.fp8 else {}
        _log.info("loading", model=self.name, folder=str(folder))
        if self._role is not None:
            self._role.begin_loading(pipeline_class, str(folder), self.entry, self.device)
        try:
            pipe = pipeline_class.from_pretrained(
                str(folder),
                dtype=self.device.dtype(self.entry.dtype),
                use_safetensors=True,
                local_files_only=True,
                **({"variant": variant} if variant and holds_variant(folder, variant) else {}),
                **quantisation,
                **parts,
            )
            if set_up is not None:
                set_up(pipe)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
            raise FailedPreconditionError(
                f"{folder} is no {pipeline_class.__name__}: {' '.join(str(error).split())[:500]}",
                "LUMENMILL_CHECKPOINT",
            ) from error
        self.add_pipeline(pipe)
        _log.info("loaded", model=self.name, duration_s=round(time.monotonic() - started_s, 3))
        return pipe

    def add_pipeline(self, pipe: Any) -> None:
        """Add a loaded pipeline: load its own adapters, cache its embeddings, accelerate its denoisers, and place
        it."""
        pipe.set_progress_bar_config(disable=True)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()  # T5's dropout would make results random
        adapters = Adapters(pipe, self.entry, self.store, is_context_parallel=self._role is not None)
        adapters.load_own(self.weights)
        self._adapters[id(pipe)] = adapters
        if hasattr(pipe, "encode_prompt"):
            cache_prompt_embeddings(pipe)
        self._accelerate(denoisers_of(pipe))
        self.offload.add(pipe)

    def _accelerate(self, denoisers: Sequence[Any]) -> None:
        if self._role is not None and len(denoisers) != 1:
            raise FailedPreconditionError(f"{self.name} has {len(denoisers)} denoisers; use one GPU", GPUS_SETTING)
        for denoiser in denoisers:
            if self.settings.attention_backend:
                set_attention_backend(denoiser, self.settings.attention_backend)
            if self._role is not None:
                self._role.parallelise(denoiser)
            if self.settings.compile:
                compile_blocks(denoiser, self.entry)

    def warm_up(self, run: Callable[[], object]) -> None:
        """Make a first, small call, which compiles and tunes kernels. If it needs a smaller tier, keep that tier.

        Raises:
            ResourceExhaustedError: the model does not fit in any tier.
        """
        with self.overlapped.main_work():
            run_in_batches([None], 1, lambda _: [run()], self, f"a first call of {self.name}")
            self.offload.make_tier_default()

    # For `run_in_batches`; see `TieredModel`.

    def pause_overlapped(self) -> bool:
        """See `OverlappedWork.pause`."""
        return self.overlapped.pause()

    def apply_smaller_tier(self) -> str:
        """See `OffloadPolicy.apply_smaller_tier`."""
        return self.offload.apply_smaller_tier()

    def reset(self) -> None:
        """See `OffloadPolicy.reset`."""
        self.offload.reset()

    # Execution of one request.

    def plan(self, preset_name: str) -> Plan:
        """Return the plan of a preset: the model's arguments, then the tier's, then the preset's.

        Raises:
            InvalidArgumentError: there is no such preset.
        """
        name, preset = self.entry.preset(preset_name)
        return Plan(name, preset, self.entry.arguments | self.tier.arguments | preset.arguments)

    def prepare(self, pipe: Any, plan: Plan, adapters: Sequence[Adapter] = ()) -> None:
        """Activate the adapters and the step cache of a plan in a pipeline. Errors as `Adapters.activate`."""
        self._adapters[id(pipe)].activate(plan.preset, adapters)
        for denoiser in denoisers_of(pipe):
            set_step_cache(denoiser, plan.preset.step_cache)
        if self._role is not None:
            self._role.prepare(plan.preset_name, adapters)

    @contextmanager
    def device_work(self, kind: Hashable, num_units: float) -> Iterator[None]:
        """Measure the throughput and peak memory of the block, reset pipelines if it raises, and restore the default
        tier after it."""
        with self.overlapped.main_work():
            self.device.start_peak()
            started_s = time.monotonic()
            try:
                yield
                if self.offload.is_default:  # a smaller tier is slower, and says nothing about the next request
                    self.throughput.add(kind, num_units, time.monotonic() - started_s)
            except BaseException:
                self.reset()
                raise
            finally:
                self.offload.restore_default_tier()

    def executed(self, plan: Plan) -> Plan:
        """Return the plan as it was just executed, for records: with the parameters of the tier in effect, because VAE
        tiles are visible in the picture."""
        how = self.offload.parameters() | speed_parameters(self.settings, plan.preset)
        return replace(plan, arguments=plan.arguments | how, peak_memory_bytes=self.device.peak_memory_bytes())

    def record(
        self, plan: Plan, job: JobContext, seed: int, parameters: Mapping[str, Any], adapters: Sequence[Adapter] = ()
    ) -> generation_pb2.GenerationRecord:
        """Return the record of a result; `plan` is that of `executed`."""
        record = generation_pb2.GenerationRecord(
            family=self.entry.family,
            model=self.name,
            revision=self.revision,
            preset=plan.preset_name,
            seed=seed,
            stage_times=job.stage_times,
            device=self.device.name,
            peak_memory_bytes=plan.peak_memory_bytes,
            licences=[
                *licences_of(self.name, self.entry, self._parts, plan.preset),
                *(licence_of_adapter(adapter) for adapter in adapters),
            ],
        )
        record.parameters.update(_plain(plan.arguments | dict(parameters)))
        return record

    # Description of the model.

    @property
    def revision(self) -> str:
        """Revision of the weights, parts and own adapters, and of everything else that changes results."""
        if self._checkpoint is None and not self._parts:
            raise UnavailableError("the model is being loaded")
        own = self._checkpoint.revision if self._checkpoint is not None else ""
        parts = [(name, revision) for name, revision in sorted(self._parts.items()) if revision]
        for adapters in self._adapters.values():
            parts += sorted(adapters.own_revisions.items())
        return revision_of(own, parts, self.entry, self.settings)

    def describe(self, **facts: Any) -> model_pb2.Model:
        """Return the model for GetModel; `facts` are the fields that the family knows.

        Raises:
            UnavailableError: it is not loaded yet.
        """
        entry = self.entry
        model = model_pb2.Model(
            family=entry.family,
            name=self.name,
            revision=self.revision,
            licences=licences_of(self.name, entry, self._parts),
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
        how = self.offload.default_parameters()
        for name, preset in entry.presets.items():
            shown = model.presets.add(name=name, description=preset.description)
            arguments = entry.arguments | self.tier.arguments | preset.arguments
            shown.parameters.update(_plain(arguments | how | speed_parameters(self.settings, preset)))
        return model


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with all values as JSON has them; others as text."""
    plain = (str, int, float, bool, list, type(None))
    return {name: value if isinstance(value, plain) else str(value) for name, value in arguments.items()}
