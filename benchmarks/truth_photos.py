"""What is claimed of the light of photographs, against what a person sees in them.

The labels were written down before anything was measured: services/captioner/tests/data/photographs.csv. Photographs of
packages that are not installed are left out, unless they lie in a folder that is given.
"""

import argparse
import csv
import importlib.util
import itertools
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figures import Figure, report

from lumenmill.common.v1 import artifact_pb2
from lumenmill_captioner.families.photometric.subject import evidence_of_picture
from lumenmill_captioner.measure import cast_word, measure
from lumenmill_common.artifacts import open_store
from lumenmill_media import read_picture

__all__ = ["Claim", "confidence_curve", "photo_claims", "photo_page", "photo_table", "wilson_percent"]

_ROOT = Path(__file__).parent.parent
_LABELS = _ROOT / "services" / "captioner" / "tests" / "data" / "photographs.csv"
_SHARED = Path(os.environ.get("LUMENMILL_TEST_DATA", _ROOT.parent / "shared" / "data")) / "photos"
# Folders of photographs in packages, by the name in the labels.
_IN_PACKAGES = {
    "skimage": ("skimage", "data"),
    "matplotlib": ("matplotlib", "mpl-data/sample_data"),
    "sklearn": ("sklearn", "datasets/images"),
    "ultralytics": ("ultralytics", "assets"),
}
_Z_95 = 1.96
_CURVE_EDGES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Claim:
    """What is claimed of one photograph and what a person sees.

    Attributes:
        word: colour of the light as claimed, empty without a claim; seen: the words that are right.
        side_claimed: whether a direction is claimed; side: the side that a person sees, or "unknown".
        is_grey: whether the photograph is grey; has_temperature: whether a temperature in kelvin is claimed.
    """

    file: str
    word: str
    seen: tuple[str, ...]
    side_claimed: bool
    side: str
    is_grey: bool
    has_temperature: bool

    @property
    def is_right(self) -> bool:
        """Whether the claimed colour is what a person sees."""
        return self.word in self.seen


def photo_claims(folder: Path | None = None) -> list[Claim]:
    """Measure all photographs that can be found.

    Args:
        folder: photographs of packages that are not installed, by file name.
    """
    claims = []
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(f"file://{scratch}")
        for row in csv.DictReader(_LABELS.read_text().splitlines()):
            path = _path(row["source"], row["file"], folder)
            if path is None:
                continue
            media_type = "image/png" if path.suffix == ".png" else "image/jpeg"
            artifact = artifact_pb2.Artifact(inline_data=path.read_bytes(), media_type=media_type)
            measured = measure(evidence_of_picture(read_picture(store, artifact, "media")))
            attributes = measured.proto.attributes
            claims.append(
                Claim(
                    file=row["file"],
                    word=cast_word(measured.scores),
                    seen=tuple(row["colour"].replace("mixed", "mixed warm and cool").split("|")),
                    side_claimed=attributes.HasField("azimuth_deg"),
                    side=row["side"],
                    is_grey=row["grey"] == "yes",
                    has_temperature=attributes.HasField("color_temperature_k"),
                )
            )
    return claims


def photo_table(claims: Sequence[Claim]) -> list[Figure]:
    """Return the figures of photographs; bounds are those of the 95 % interval of Wilson (1927)."""
    in_color = [claim for claim in claims if not claim.is_grey and claim.seen != ("unknown",)]
    claimed = [claim for claim in claims if claim.word]
    right = sum(claim.is_right for claim in claimed)
    low, high = wilson_percent(right, len(claimed))
    grey = [claim for claim in claims if claim.is_grey]
    with_side = [claim for claim in claims if claim.side != "unknown"]
    return [
        Figure("photographs", len(claims), "pictures"),
        Figure("photographs: colour right of what is claimed", _percent(right, len(claimed)), "%", at_least=95.0),
        Figure("photographs: colour right, lower bound", low, "%"),
        Figure("photographs: colour right, upper bound", high, "%"),
        Figure(
            "photographs in colour: colour claimed",
            _percent(sum(bool(claim.word) for claim in in_color), len(in_color)),
            "%",
            at_least=50.0,
        ),
        Figure(
            "photographs in grey: colour claimed",
            _percent(sum(bool(claim.word) or claim.has_temperature for claim in grey), len(grey)),
            "%",
            at_most=0.0,
        ),
        Figure("photographs in which a person sees a direction", len(with_side), "pictures"),
        Figure("photographs: direction claimed", sum(claim.side_claimed for claim in claims), "pictures"),
    ]


def photo_page(claims: Sequence[Claim]) -> list[str]:
    """Return the lines of docs/truth.md on photographs."""
    lines = [
        "## Photographs",
        "",
        " ".join((__doc__ or "").split()),
        "",
        "| photograph | seen | claimed |",
        "|---|---|---|",
    ]
    for claim in claims:
        seen = "grey" if claim.is_grey else " or ".join(claim.seen)
        wrong = " **wrong**" if claim.word and not claim.is_right else ""
        lines.append(f"| {claim.file} | {seen} | {claim.word or '–'}{wrong} |")
    return lines


def confidence_curve(claims: Sequence[tuple[float, bool]]) -> list[str]:
    """Return a table of claimed confidence against being right, with 95 % intervals.

    Args:
        claims: confidence, 0 to 1, and whether the claim is right.
    """
    lines = ["| confidence | claims | right | 95 % interval |", "|---|---:|---:|---|"]
    for low, high in itertools.pairwise(_CURVE_EDGES):
        inside = [right for confidence, right in claims if low <= confidence < high or confidence == high == 1.0]
        if inside:
            bounds = wilson_percent(sum(inside), len(inside))
            lines.append(
                f"| {low:g} to {high:g} | {len(inside)} | {_percent(sum(inside), len(inside)):.0f} % "
                f"| {bounds[0]:.0f} to {bounds[1]:.0f} % |"
            )
    return lines


def wilson_percent(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion in percent (Wilson, JASA 22, 1927); 0 to 100 without any."""
    if total == 0:
        return 0.0, 100.0
    part, square = right / total, _Z_95**2 / total
    middle = (part + square / 2.0) / (1.0 + square)
    half = _Z_95 / (1.0 + square) * math.sqrt(part * (1.0 - part) / total + square / (4.0 * total))
    return 100.0 * max(middle - half, 0.0), 100.0 * min(middle + half, 1.0)


def _path(source: str, file: str, folder: Path | None) -> Path | None:
    places = [_SHARED / file] if source == "shared" else []
    if source in _IN_PACKAGES:
        package, inside = _IN_PACKAGES[source]
        found = importlib.util.find_spec(package)
        places += [Path(found.origin).parent / inside / file] if found and found.origin else []
    places += [folder / file] if folder is not None else []
    return next((path for path in places if path.is_file()), None)


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0


def main() -> None:
    """Print the table of photographs; exit with 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--photos", type=Path, help="folder of photographs whose packages are not installed")
    parser.add_argument("--list", action="store_true", help="print every photograph with what is claimed of it")
    options = parser.parse_args()
    claims = photo_claims(options.photos)
    if options.list:
        sys.stdout.write("\n".join(photo_page(claims)) + "\n")
    report(photo_table(claims), options.json)


if __name__ == "__main__":
    main()
