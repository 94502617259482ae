"""Profiles of a pod: `lossless`, as published by the model's authors, and `fast`, with different pictures."""

from typing import Any

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import FastProfile, ModelEntry, Placement, PresetEntry
from lumenmill_neural.settings import NeuralSettings

__all__ = ["speed_parameters", "with_profile"]

# Attention backends of diffusers with these prefixes compute in 8 bits.
_LOSSY_BACKENDS = ("sage", "_sage")


def with_profile(entry: ModelEntry, settings: NeuralSettings) -> ModelEntry:
    """Return the entry with the changes of the profile that the settings name.

    Raises:
        FailedPreconditionError: the model lacks the profile, or another setting is not allowed in the profile.
    """
    if settings.profile == "lossless":
        _refuse_lossy(settings)
        return entry.model_copy(update={"fast": None})
    if entry.fast is None:
        raise FailedPreconditionError(f"{entry.title} has no fast profile; use lossless", "LUMENMILL_PROFILE")
    if settings.fp8 and not entry.fast.fp8:
        raise FailedPreconditionError(f"{entry.title} is not run in 8 bits; leave it out", "LUMENMILL_FP8")
    changed = {name: _faster(preset, entry.fast) for name, preset in entry.presets.items()}
    first = entry.fast.default_preset
    presets = {first: changed[first], **changed} if first in changed else changed
    tiers = entry.tiers
    if settings.fp8:  # quantised layers cannot be offloaded one by one
        tiers = tuple(tier for tier in tiers if tier.placement is not Placement.SEQUENTIAL_OFFLOAD)
    return entry.model_copy(update={"presets": presets, "tiers": tiers})


def speed_parameters(settings: NeuralSettings, preset: PresetEntry) -> dict[str, Any]:
    """Return the parameters that determine the speed of a preset, for records and descriptions."""
    how: dict[str, Any] = {"profile": settings.profile}
    if preset.step_cache is not None:
        how["step_cache"] = preset.step_cache.text
    if preset.distilled_lora:
        how["distilled_lora"] = preset.distilled_lora
    if settings.attention_backend:
        how["attention_backend"] = settings.attention_backend
    if settings.fp8:
        how["fp8"] = True
    if settings.gpus > 1:
        how["gpus"] = settings.gpus
    return how


def _refuse_lossy(settings: NeuralSettings) -> None:
    if settings.fp8:
        raise FailedPreconditionError("changes the pictures; it needs LUMENMILL_PROFILE=fast", "LUMENMILL_FP8")
    if settings.attention_backend.startswith(_LOSSY_BACKENDS):
        raise FailedPreconditionError(
            f"{settings.attention_backend} changes the pictures; it needs LUMENMILL_PROFILE=fast",
            "LUMENMILL_ATTENTION_BACKEND",
        )


def _faster(preset: PresetEntry, fast: FastProfile) -> PresetEntry:
    if preset.step_cache is not None or preset.distilled_lora:
        return preset
    return preset.model_copy(update={"step_cache": fast.step_cache})
