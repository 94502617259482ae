"""Fits the constants of `lumenmill_captioner.measure.confidence` on renders, and prints them with their curves.

The pictures are made as those of `truth.py`, of other scenes under other lights. A direction is right within 15°, a
temperature within 300 K of the light that arrived. The curves are those of cross-validation: the confidence of a scene
comes from constants that were fitted without it.
"""

import argparse
import asyncio
import math
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from truth_photos import confidence_curve
from truth_pictures import make_pictures, store_url

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill_captioner.families.photometric.subject import SubjectReader
from lumenmill_captioner.measure.confidence import direction_features, temperature_features
from lumenmill_captioner.measure.direction import measured_key, relief_in
from lumenmill_captioner.measure.evidence import surface_of
from lumenmill_captioner.measure.shading_color import color_estimates, color_samples
from lumenmill_common.artifacts import ArtifactStore, open_store
from lumenmill_light.axes import unit_vector
from lumenmill_media import LIMITS

Vector = NDArray[np.float64]

_HDRI = Path(__file__).parent.parent.parent / "shared" / "data" / "hdri"
# Seeds other than that of `truth.py`, whose pictures must stay unknown here.
_SEEDS, _NUM_PICTURES, _NUM_FOLDS = (77, 131), 204, 6
_RIGHT_COSINE, _RIGHT_K = math.cos(math.radians(15.0)), 300.0
_RIDGE = 2.0


@dataclass(frozen=True)
class Case:
    """Features of a claim on one picture of a scene, and whether it is right."""

    scene: str
    features: Vector
    is_right: bool


def _cases(scene: str, subject: captioner_pb2.Subject, store: ArtifactStore) -> tuple[Case | None, Case | None]:
    """Return the cases of the direction and of the temperature of a picture; None where nothing can be claimed."""
    arrived = subject.arrived_light.attributes
    evidence = SubjectReader(store, LIMITS, subject, "subject").evidence()
    surface, relief = surface_of(evidence), relief_in(evidence)
    key = measured_key(evidence, surface, relief) if surface else None
    samples = color_samples(evidence, surface, relief)
    estimates = color_estimates(samples) if samples is not None else None
    direction = temperature = None
    if arrived.HasField("azimuth_deg") and key is not None and key.found is not None:
        is_right = float(key.direction @ unit_vector(arrived.azimuth_deg, arrived.elevation_deg)) > _RIGHT_COSINE
        direction = Case(scene, direction_features(key.found[0], key.by_normals, key.direction), is_right)
    if arrived.HasField("color_temperature_k") and estimates is not None and estimates.color.is_white:
        found_k = estimates.color.temperature_k
        is_right = abs(found_k - arrived.color_temperature_k) < _RIGHT_K
        temperature = Case(scene, temperature_features(estimates.spreads_k, found_k), is_right)
    return direction, temperature


def _fitted(cases: list[Case]) -> Vector:
    """Return the intercept and the weights of a logistic regression with a small ridge."""
    features = np.array([[1.0, *case.features] for case in cases])
    signs = np.array([1.0 if case.is_right else -1.0 for case in cases])

    def loss(weights: Vector) -> float:
        return float(np.logaddexp(0.0, -signs * (features @ weights)).sum() + _RIDGE * (weights[1:] ** 2).sum())

    return np.asarray(optimize.minimize(loss, np.zeros(features.shape[1])).x)


def _cross_validated(cases: list[Case]) -> list[tuple[float, bool]]:
    """Return the confidence of each case, by constants of the other scenes, and whether it is right."""
    claims = []
    fold_of = {scene: index % _NUM_FOLDS for index, scene in enumerate(dict.fromkeys(case.scene for case in cases))}
    for fold in range(_NUM_FOLDS):
        weights = _fitted([case for case in cases if fold_of[case.scene] != fold])
        for case in cases:
            if fold_of[case.scene] == fold:
                logit = float(weights @ [1.0, *case.features])
                claims.append((1.0 / (1.0 + math.exp(-logit)), case.is_right))
    return claims


def _measure(num_pictures: int, hdri: Path) -> tuple[list[Case], list[Case]]:
    directions, temperatures = [], []
    for seed in _SEEDS:
        with tempfile.TemporaryDirectory(prefix="lumenmill-confidence-") as folder:
            made = asyncio.run(make_pictures(num_pictures, seed, hdri, Path(folder)))
            store = open_store(store_url(Path(folder)))
            for picture in made.pictures:
                if picture.refusal:
                    continue
                direction, temperature = _cases(f"{seed}/{picture.group}", picture.subject, store)
                directions += [direction] if direction else []
                temperatures += [temperature] if temperature else []
    return directions, temperatures


def main() -> None:
    """Render, fit, and print constants and curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-pictures", type=int, default=_NUM_PICTURES, help="of each of two seeds")
    parser.add_argument("--hdri", type=Path, default=_HDRI, help="folder of environment maps")
    options = parser.parse_args()
    found = _measure(options.num_pictures, options.hdri)
    for name, cases in zip(("_DIRECTION", "_TEMPERATURE"), found, strict=True):
        constants = ", ".join(f"{value:.3f}" for value in _fitted(cases))
        lines = [f"{name} = ({constants})", "", *confidence_curve(_cross_validated(cases)), ""]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
