"""Which models, presets and tiers work with context parallelism. Imports no torch, because `fetch` uses it too."""

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import ModelEntry, Placement
from lumenmill_neural.settings import NeuralSettings

__all__ = ["GPUS_SETTING", "with_context_parallelism"]

GPUS_SETTING = "LUMENMILL_GPUS"


def with_context_parallelism(entry: ModelEntry, settings: NeuralSettings) -> ModelEntry:
    """Return the entry without what several GPUs cannot do: step caches, offloading and overlapped decoding.

    Raises:
        FailedPreconditionError: the model does not support several GPUs, no preset or tier remains, or another setting
            does not work with several GPUs; names the setting.
    """
    if not entry.supports_context_parallelism:
        raise FailedPreconditionError(f"{entry.title} works on one GPU; serve a pod for each GPU", GPUS_SETTING)
    if settings.profile != "lossless":
        raise FailedPreconditionError(
            "each GPU would decide by its own part which steps to re-use; use lossless, or one GPU", "LUMENMILL_PROFILE"
        )
    if settings.compile:  # torch 2.15 cannot trace the exchange of token counts that differ from GPU to GPU
        raise FailedPreconditionError(
            "blocks that exchange tokens with other GPUs cannot be compiled; leave it out, or use one GPU",
            "LUMENMILL_COMPILE",
        )
    presets = {name: preset for name, preset in entry.presets.items() if preset.step_cache is None}
    # A call that ran out of memory because of overlapped work could not be repeated: all ranks took part in it.
    changes = {"overlap_decoding": False, "max_batch_size": 1}
    tiers = tuple(tier.model_copy(update=changes) for tier in entry.tiers if tier.placement is Placement.RESIDENT)
    if not presets or not tiers:
        raise FailedPreconditionError(
            f"{entry.title} needs a preset without a step cache, and a tier with all weights on the device",
            GPUS_SETTING,
        )
    return entry.model_copy(update={"presets": presets, "tiers": tiers})
