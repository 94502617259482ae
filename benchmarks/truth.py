"""Whether what is said of pictures is true: captions, instructions and measurements against the light that arrived.

Half of the pictures are lit by hand-made lights of every kind on scenes of every kind, half are the prompter's. All go
through the services' RPCs at 256 × 192 pixels; the arrived light is traced by studio with the same geometry. Texts are
read back with the vocabulary that they are written with, so that the first rows show that texts agree with numbers, not
that a person agrees with the texts. Directions as captioned are of pictures whose arrived light is known, directions as
measured are found in the pixels alone. An instruction need not say that light from all around turned where the shading
does not show its side.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import Figure, report
from google.protobuf.json_format import MessageToDict
from truth_photos import Claim, confidence_curve, photo_claims, photo_page, photo_table
from truth_pictures import Pictures, make_pictures
from truth_table import confidences_of, figures_of, problems_of_change, problems_of_picture

from lumenmill.common.v1 import light_pb2

_PAGE = Path(__file__).parent.parent / "docs" / "truth.md"
_HDRI = Path(__file__).parent.parent.parent / "shared" / "data" / "hdri"
_NUM_PICTURES, _NUM_QUICK = 300, 24
_SEED = 14


def _page(figures: list[Figure], made: Pictures, claims: list[Claim], seed: int) -> str:
    lines = [
        "# Truth of labels",
        "",
        "`python benchmarks/truth.py` measures every figure and writes this page.",
        " ".join((__doc__ or "").split()),
        "",
        f"{len(made.pictures)} pictures, {len(made.changes)} instructions, seed {seed}.",
        "",
        "| | | goal |",
        "|---|---:|---|",
    ]
    for figure in figures:
        missed = " **missed**" if figure.met is False else ""
        lines.append(f"| {figure.name} | {figure.value:.3g} {figure.unit} | {figure.target}{missed} |")
    wrong = [
        (picture.name, problem)
        for picture in made.pictures
        if not picture.refusal
        for problem in problems_of_picture(picture)
    ]
    wrong += [("instruction", problem) for change in made.changes for problem in problems_of_change(change)]
    if wrong:
        lines += ["", "## What contradicts", "", *(f"- {name}: {problem}" for name, problem in wrong[:50])]
    for title, field in (("direction", "azimuth_deg"), ("colour temperature", "color_temperature_k")):
        curve = confidence_curve(confidences_of(made, field))
        lines += ["", f"## Confidence of a measured {title} against being right", "", *curve]
    lines += ["", *photo_page(claims)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the pictures, print figures, write docs/truth.md unless `--quick`; exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{_NUM_QUICK} pictures; writes nothing")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--num-pictures", type=int, default=_NUM_PICTURES)
    parser.add_argument("--seed", type=int, default=_SEED, help="another seed makes other scenes and lights")
    parser.add_argument("--hdri", type=Path, default=_HDRI, help="folder of environment maps")
    parser.add_argument("--keep", type=Path, help="folder for the pictures with their captions, for looking at them")
    options = parser.parse_args()
    num_pictures = _NUM_QUICK if options.quick else options.num_pictures
    with tempfile.TemporaryDirectory(prefix="lumenmill-truth-") as folder:
        made = asyncio.run(make_pictures(num_pictures, options.seed, options.hdri, Path(folder)))
    claims = photo_claims()
    figures = figures_of(made) + photo_table(claims)
    if options.keep is not None:
        _keep(made, options.keep)
    if not options.quick:
        _PAGE.write_text(_page(figures, made, claims, options.seed))
    report(figures, options.json)


def _keep(made: Pictures, folder: Path) -> None:
    """Write every picture and one JSON line with what is said of it."""
    from PIL import Image  # noqa: PLC0415 - only here

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "pictures.jsonl").open("w") as lines:
        for number, picture in enumerate(made.pictures):
            if picture.refusal:
                continue
            Image.fromarray(picture.shown).save(folder / f"{number:03d}.png")
            line = {
                "file": f"{number:03d}.png",
                "name": picture.name,
                "origin": picture.origin,
                "scene_kind": picture.scene_kind,
                "light_kind": picture.light_kind,
                "caption": picture.caption.text,
                "instruction": picture.instruction,
                "arrived": _fields(picture.arrived.attributes),
                "arrived_sources": [MessageToDict(source) for source in picture.arrived.sources],
                "requested": _fields(picture.caption.requested_attributes),
                "measured": _fields(picture.caption.measurement.attributes),
                "measured_confidences": dict(picture.caption.measurement.confidences),
                "measured_methods": dict(picture.caption.measurement.methods),
                "measured_alone": _fields(picture.alone.measurement.attributes),
            }
            lines.write(json.dumps({**line, "problems": problems_of_picture(picture)}) + "\n")
    sys.stderr.write(f"pictures in {folder}\n")


def _fields(attributes: light_pb2.LightAttributes) -> dict[str, Any]:
    return dict(MessageToDict(attributes, preserving_proto_field_name=True))


if __name__ == "__main__":
    main()
