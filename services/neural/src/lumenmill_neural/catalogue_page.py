"""docs/models.md: every model of every neural service, from their catalogues and families.

`python -m lumenmill_neural.catalogue_page [FILE]` writes the page.
"""

import sys
from importlib import import_module
from pathlib import Path

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill_neural.catalogue import Arguments, Catalogue, ModelEntry, Placement, PresetEntry, Tier, read_catalogue

__all__ = ["SERVICES", "page"]

SERVICES = {
    "imager": "lumenmill_imager",
    "relighter": "lumenmill_relighter",
    "video": "lumenmill_video",
    "captioner": "lumenmill_captioner",
}
_WITHOUT_PICTURES = "captioner"
_FILE = Path("docs/models.md")
_MAX_VALUE_CHARACTERS = 60
_HEAD = """# Models

The models of the neural services. `LUMENMILL_MODEL` names an entry; its first preset is the default.
`python -m lumenmill_neural.catalogue_page` generates this page from the `presets.yaml` and the families of each
service; a test fails when it is out of date.

Weights come from the hub at the commit given here, from a folder, or from the artifact store (`LUMENMILL_CHECKPOINT`).
Where no commit is given, the service loads the newest one at its start, logs a warning, and has it in the revision of
the model and of every record; `LUMENMILL_CHECKPOINT_REVISION` pins one. Models with a fast profile list what it
changes; the others have only the lossless one. The licence covers the weights and their outputs, and is recorded with
every result. *Commercial* says whether it allows commercial use, under its conditions. *Text* is the kind that a model
was trained on, `Model.text_input` of GetModel: a *description* of what the picture or clip shows, an *instruction* that
says what to change, or none.

"""
_TEXTS = {
    TextInput.TEXT_INPUT_UNSPECIFIED: "–",
    TextInput.TEXT_INPUT_NONE: "none",
    TextInput.TEXT_INPUT_DESCRIPTION: "description",
    TextInput.TEXT_INPUT_INSTRUCTION: "instruction",
}


def page() -> str:
    """Return the page as Markdown."""
    sections = [_service(name, package) for name, package in SERVICES.items()]
    return _HEAD + "\n".join(sections)


def _service(name: str, package: str) -> str:
    catalogue = read_catalogue(package)
    texts = _texts(name, package, catalogue)
    rows = [
        f"| [{model}](#{_anchor(name, model)}) | {entry.task} | {texts[model]} | {entry.licence.spdx_id} "
        f"| {_yes(entry)} |"
        for model, entry in catalogue.items()
    ]
    table = ["| model | task | text | licence | commercial |", "|---|---|---|---|---|", *rows]
    models = [_model(name, model, entry) for model, entry in catalogue.items()]
    return "\n".join([f"## {name}", "", *table, "", *models])


def _texts(service: str, package: str, catalogue: Catalogue) -> dict[str, str]:
    """Return the kind of text of each model, which its family states."""
    if service == _WITHOUT_PICTURES:
        return dict.fromkeys(catalogue, _TEXTS[TextInput.TEXT_INPUT_UNSPECIFIED])
    families = import_module(f"{package}.families").FAMILIES
    return {model: _TEXTS[families[entry.family].text_input] for model, entry in catalogue.items()}


def _anchor(service: str, model: str) -> str:
    title = f"{service}: {model}".lower().replace(" ", "-")
    return "".join(character for character in title if character.isalnum() or character in "-_")


def _yes(entry: ModelEntry) -> str:
    return "yes" if entry.licence.allows_commercial_use else "no"


def _model(service: str, name: str, entry: ModelEntry) -> str:
    facts = [
        ("", f"{entry.title}; family `{entry.family}`"),
        ("weights", _weights(entry.checkpoint, entry.revision) if entry.checkpoint else "only those of its parts"),
        *((f"part `{part}`", _weights(value.checkpoint, value.revision)) for part, value in entry.parts.items()),
        *((f"adapter `{own}`", _weights(value.checkpoint, value.revision)) for own, value in entry.adapters.items()),
        ("licence", f"[{entry.licence.spdx_id}]({entry.licence.url})"),
        ("bounds", _bounds(entry) if service != _WITHOUT_PICTURES else ""),
        (
            "several GPUs",
            "can share one clip by context parallelism: `LUMENMILL_GPUS`" if entry.supports_context_parallelism else "",
        ),
        ("defaults", _arguments(entry.arguments)),
        ("source of defaults", entry.source),
    ]
    lines = [f"- {label}{': ' if label else ''}{text}" for label, text in facts if text]
    presets = [f"| `{preset}` | {value.description} | {_changes(value)} |" for preset, value in entry.presets.items()]
    fast = [f"`LUMENMILL_PROFILE=fast`: {entry.fast.text}.", ""] if entry.fast is not None else []
    tiers = [f"| {_tier_name(tier)} | {_tier(tier)} |" for tier in entry.tiers]
    return "\n".join(
        [
            f"### {service}: {name}",
            "",
            *lines,
            "",
            "| preset | | changes |",
            "|---|---|---|",
            *presets,
            "",
            *fast,
            "| memory of the device | use |",
            "|---|---|",
            *tiers,
            "",
        ]
    )


def _weights(checkpoint: str, revision: str) -> str:
    commit = f"`{revision}`" if revision else "the newest commit"
    return f"[{checkpoint}](https://huggingface.co/{checkpoint}) at {commit}"


def _bounds(entry: ModelEntry) -> str:
    frames = f", at most {entry.max_num_frames} frames" if entry.max_num_frames else ""
    return f"sides are multiples of {entry.size_multiple_px} pixels, at most {entry.max_side_px}{frames}"


def _arguments(arguments: Arguments) -> str:
    return ", ".join(f"`{name}` {_short(value)}" for name, value in arguments.items())


def _short(value: object) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


def _changes(preset: PresetEntry) -> str:
    changes = [_arguments(preset.arguments)]
    if preset.step_cache is not None:
        changes.append(f"step cache {preset.step_cache.text}")
    if preset.distilled_lora:
        changes.append(f"adapter `{preset.distilled_lora}`")
    return ", ".join(change for change in changes if change)


def _tier_name(tier: Tier) -> str:
    return f"{tier.min_memory_gib:g} GiB and more" if tier.min_memory_gib else "less"


def _tier(tier: Tier) -> str:
    where = {
        Placement.RESIDENT: "all weights on the device",
        Placement.MODEL_OFFLOAD: "one part on the device at a time",
        Placement.SEQUENTIAL_OFFLOAD: "one layer on the device at a time",
    }[tier.placement]
    batch = f", batches of {tier.max_batch_size}" if tier.max_batch_size > 1 else ""
    tiles = ", VAE in tiles" if tier.vae_tiling else ""
    overlap = ", a clip is decoded while the next is denoised" if tier.overlap_decoding else ""
    extra = f", {_arguments(tier.arguments)}" if tier.arguments else ""
    return f"{where}{batch}{tiles}{overlap}{extra}"


def main() -> None:
    """Write the page, and print its path and the number of its models."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else _FILE
    file.write_text(page(), encoding="utf-8")
    num_models = sum(len(read_catalogue(package)) for package in SERVICES.values())
    sys.stdout.write(f"{file}: {num_models} models\n")


if __name__ == "__main__":
    main()
