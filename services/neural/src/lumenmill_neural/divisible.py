"""Which models several GPUs can work on together, and what of them. Imports no torch: fetching ahead asks here too."""

from lumenmill_common.errors import FailedPreconditionError

from lumenmill_neural.catalogue import ModelEntry, Placement
from lumenmill_neural.settings import NeuralSettings

__all__ = ["GPUS_SETTING", "for_division"]

GPUS_SETTING = "LUMENMILL_GPUS"


def for_division(entry: ModelEntry, settings: NeuralSettings) -> ModelEntry:
    """The entry without what is not for several GPUs: presets with a step cache, weights that are moved about, and work
    that shares the device with other work.

    Raises:
        FailedPreconditionError: the model is not for several GPUs, or nothing of it is, or other settings are not;
            names the setting.
    """
    if not entry.can_be_divided:
        raise FailedPreconditionError(f"{entry.title} works on one GPU; serve a pod for each GPU", GPUS_SETTING)
    if settings.profile != "lossless":
        raise FailedPreconditionError(
            "each GPU would decide by its own part which steps to re-use; use lossless, or one GPU", "LUMENMILL_PROFILE"
        )
    if settings.compile:  # torch 2.15 cannot trace the exchange of token counts that differ from GPU to GPU
        raise FailedPreconditionError(
            "blocks that talk with other GPUs cannot be compiled; leave it out, or use one GPU", "LUMENMILL_COMPILE"
        )
    presets = {name: preset for name, preset in entry.presets.items() if preset.step_cache is None}
    # What does not fit because of something beside it could not be done again alone: its call was that of all GPUs.
    alone = {"decode_beside": False, "max_batch_size": 1}
    tiers = tuple(tier.model_copy(update=alone) for tier in entry.tiers if tier.placement is Placement.RESIDENT)
    if not presets or not tiers:
        raise FailedPreconditionError(
            f"{entry.title} needs a preset without a step cache, and a tier with all weights on the device",
            GPUS_SETTING,
        )
    return entry.model_copy(update={"presets": presets, "tiers": tiers})
