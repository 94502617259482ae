"""The models of a service: a typed `presets.yaml`, with one entry for each value of LUMENMILL_MODEL."""

from collections.abc import Mapping
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_common.validation import violations_of

__all__ = [
    "Catalogue",
    "FastProfile",
    "LicenceEntry",
    "ModelEntry",
    "PartEntry",
    "Placement",
    "PresetEntry",
    "StepCache",
    "Tier",
    "read_catalogue",
    "with_own_models",
]

Arguments = dict[str, Any]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Placement(StrEnum):
    """Where the weights are while they are not used."""

    RESIDENT = "resident"
    """All on the device."""
    MODEL_OFFLOAD = "model_offload"
    """On the host, one part of the pipeline (text encoder, denoiser, VAE) at a time on the device."""
    SEQUENTIAL_OFFLOAD = "sequential_offload"
    """On the host, one layer at a time on the device: slow, and fits almost anywhere."""


class LicenceEntry(_Entry):
    """The licence of the model's outputs, and its URL."""

    spdx_id: str = Field(pattern=r"^[A-Za-z0-9.+-]{1,128}$")
    allows_commercial_use: bool
    url: str

    def of(self, subject: str) -> Licence:
        """Return the message for records."""
        return Licence(subject=subject, spdx_id=self.spdx_id, allows_commercial_use=self.allows_commercial_use)


class StepCache(_Entry):
    """Steps re-use results of the step before: faster, with different pictures."""

    kind: Literal["first_block", "taylor_seer"]
    options: Arguments = Field(default_factory=dict)
    """Arguments of diffusers' FirstBlockCacheConfig or TaylorSeerCacheConfig."""

    @property
    def text(self) -> str:
        """The kind and its options, for records."""
        return f"{self.kind}({', '.join(f'{name}={value}' for name, value in sorted(self.options.items()))})"


class PresetEntry(_Entry):
    """A named set of arguments of the model."""

    description: str
    arguments: Arguments = Field(default_factory=dict)
    step_cache: StepCache | None = None
    distilled_lora: str = ""
    """Name of the entry's adapter that is active in this preset, for few-step generation."""


class FastProfile(_Entry):
    """What LUMENMILL_PROFILE=fast changes in the model's presets; the pictures differ."""

    step_cache: StepCache | None = None
    """For presets that have neither a cache of their own nor a distilled LoRA."""
    default_preset: str = ""
    """The default preset, if the model has it: for example one of few steps, whose LoRA the operator names."""
    fp8: bool = False
    """Whether LUMENMILL_FP8 may be set too."""

    @property
    def text(self) -> str:
        """What it changes, for readers."""
        changes = [f"step cache {self.step_cache.text}"] if self.step_cache is not None else []
        if self.default_preset:
            changes.append(f"preset `{self.default_preset}` is the default, where the operator named its LoRA")
        if self.fp8:
            changes.append("`LUMENMILL_FP8` may be set")
        return "; ".join(changes)


class Tier(_Entry):
    """How the memory of a device of at least this size is used."""

    min_memory_gib: float
    placement: Placement = Placement.RESIDENT
    max_batch_size: int = Field(default=1, ge=1, le=64)
    vae_tiling: bool = False
    overlap_decoding: bool = False
    """Whether there is memory to decode one clip while the next is denoised."""
    arguments: Arguments = Field(default_factory=dict)
    """Arguments that depend on memory, such as how many frames are decoded at once."""


class AdapterEntry(_Entry):
    """A LoRA that belongs to the model."""

    checkpoint: str
    revision: str = ""
    weight_name: str | None = None
    scale: float = 1.0
    always: bool = False
    """Whether it is active in every preset."""
    licence: LicenceEntry | None = None
    """Its licence, which is recorded with every result that it changed. Absent: unknown."""


class PartEntry(_Entry):
    """A checkpoint in addition to the model's own, for example a depth estimator. See `ModelHost.part`."""

    checkpoint: str
    revision: str = ""
    licence: LicenceEntry | None = None
    """Its licence, if it differs from the model's; recorded with every result."""
    files: tuple[str, ...] = ()
    """Patterns of the files to load from the hub repository; empty: all."""


class ModelEntry(_Entry):
    """One model."""

    family: str
    title: str
    task: str
    checkpoint: str
    """Hub id. LUMENMILL_CHECKPOINT replaces it by another id, a folder or an artifact of the store. Empty: the model
    consists of its parts only."""
    revision: str = ""
    """Commit of the hub repository. Empty: LUMENMILL_CHECKPOINT_REVISION, else the newest commit at the start of the
    service, which stands in the model's revision."""
    variant: str = ""
    """Which weights to load from a hub repository that holds several: `fp16`. Parts without it load their plain
    weights."""
    licence: LicenceEntry
    source: str
    """The source of the defaults."""
    size_multiple_px: int = 8
    max_side_px: int = 2048
    max_num_frames: int = 0
    supports_context_parallelism: bool = False
    """Whether several GPUs can share the tokens of one clip: LUMENMILL_GPUS."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Type of the weights on an accelerator. On the CPU it is always float32."""
    arguments: Arguments = Field(default_factory=dict)
    presets: dict[str, PresetEntry] = Field(min_length=1)
    fast: FastProfile | None = None
    """Absent: the model has no fast profile, and LUMENMILL_PROFILE=fast is refused."""
    tiers: tuple[Tier, ...] = Field(min_length=1)
    adapters: dict[str, AdapterEntry] = Field(default_factory=dict)
    parts: dict[str, PartEntry] = Field(default_factory=dict)
    options: Arguments = Field(default_factory=dict)
    """Options for the family: its scheduler, its task prefix."""

    @model_validator(mode="after")
    def _adapters_of_presets(self) -> Self:
        for name, preset in self.presets.items():
            if preset.distilled_lora and preset.distilled_lora not in self.adapters:
                raise ValueError(f"presets.{name}.distilled_lora: is none of the entry's adapters")
        return self

    def tier_for(self, memory_gib: float) -> int:
        """Return the index of the first tier that fits a device; tiers go from large to small, the last fits every
        one."""
        fitting = (index for index, tier in enumerate(self.tiers) if memory_gib >= tier.min_memory_gib)
        return next(fitting, len(self.tiers) - 1)

    def preset(self, name: str) -> tuple[str, PresetEntry]:
        """Return the preset of a name, or the first if the name is empty.

        Raises:
            InvalidArgumentError: there is no preset of that name.
        """
        chosen = name or next(iter(self.presets))
        if chosen not in self.presets:
            raise InvalidArgumentError("preset", f"{chosen!r} is none of {', '.join(self.presets)}")
        return chosen, self.presets[chosen]


Catalogue = Mapping[str, ModelEntry]


def read_catalogue(package: str) -> Catalogue:
    """Return the catalogue of a service, from `presets.yaml` in its package.

    Raises:
        FailedPreconditionError: the file is no catalogue; names every mistake.
    """
    file = resources.files(package).joinpath("presets.yaml")
    return _parsed(file, file.read_text(encoding="utf-8"))


def with_own_models(catalogue: Catalogue, path: Path | None) -> Catalogue:
    """Return a service's catalogue with the models of the operator's own file added. The service checks their families
    when it starts: it imports torch to know them.

    Raises:
        FailedPreconditionError: the file is no catalogue; names every mistake.
    """
    if path is None:
        return catalogue
    setting = "LUMENMILL_PRESETS_FILE"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FailedPreconditionError(f"{path}: {error}", setting) from error
    return {**catalogue, **_parsed(path, text, setting)}


def _parsed(file: object, text: str, setting: str = "") -> dict[str, ModelEntry]:
    try:
        return TypeAdapter(dict[str, ModelEntry]).validate_python(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise FailedPreconditionError(f"{file}: {' '.join(str(error).split())}", setting) from error
    except ValidationError as error:
        problems = "; ".join(f"{location}: {problem}" for location, problem in violations_of(error))
        raise FailedPreconditionError(f"{file}: {problems}", setting) from error
