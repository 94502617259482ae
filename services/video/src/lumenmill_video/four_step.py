"""Few-step generation: a distilled LoRA in the settings adds the preset `four_step` to the model."""

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import AdapterEntry, Catalogue, PresetEntry, with_own_models
from lumenmill_video.settings import VideoSettings

__all__ = ["FOUR_STEP", "with_four_steps"]

FOUR_STEP = "four_step"
_ADAPTER = "distilled"


def with_four_steps(catalogue: Catalogue, settings: VideoSettings) -> Catalogue:
    """Return the catalogue with a preset for the LoRA of the settings; unchanged without a LoRA.

    Raises:
        FailedPreconditionError: a LoRA is set, and the model supports no such preset or is in LUMENMILL_PRESETS_FILE.
    """
    if not settings.distilled_lora:
        return catalogue
    entry = catalogue.get(settings.model)
    if with_own_models(catalogue, settings.presets_file).get(settings.model) is not entry:
        raise FailedPreconditionError(
            f"{settings.model} is an entry of LUMENMILL_PRESETS_FILE: add the LoRA there, to its `adapters` and as the "
            "`distilled_lora` of a preset; leave this empty",
            "LUMENMILL_DISTILLED_LORA",
        )
    if entry is None:
        return catalogue
    if FOUR_STEP not in entry.options:
        raise FailedPreconditionError(
            f"{entry.title} has no few-step preset; leave it empty", "LUMENMILL_DISTILLED_LORA"
        )
    adapter = AdapterEntry(
        checkpoint=settings.distilled_lora,
        revision=settings.distilled_lora_revision,
        weight_name=settings.distilled_lora_file or None,
    )
    preset = PresetEntry.model_validate(entry.options[FOUR_STEP] | {"distilled_lora": _ADAPTER})
    changed = entry.model_copy(
        update={"adapters": entry.adapters | {_ADAPTER: adapter}, "presets": entry.presets | {FOUR_STEP: preset}}
    )
    return {**catalogue, settings.model: changed}
