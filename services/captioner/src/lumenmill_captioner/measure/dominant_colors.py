"""Dominant colours of a picture, whatever way up it is, and whether it has colours of its own at all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill_captioner.measure.color_names import color_name
from lumenmill_captioner.measure.tone import Weights, percentiles
from lumenmill_media import linear_to_srgb

__all__ = ["Dominant", "Monochrome", "dominant_colors", "monochrome", "oklab"]

Array = NDArray[np.float32]
Lab = NDArray[np.float64]

_NUM_CLUSTERS, _NUM_ROUNDS = 6, 12
_SAME_COLOR_DISTANCE = 0.06
# Pixels are counted in cells of OKLab this wide; k-means goes over the cells, in the order of their colours.
_CELL = 0.02
# A picture is grey when this part of it has less chroma than noise and compression leave in grey pictures; it is toned
# when that part lies as close to one curve of chroma over lightness, as that of a print in one ink does.
_PART, _GREY_CHROMA, _TONED_DISTANCE = 99.0, 0.012, 0.014


@dataclass(frozen=True)
class Dominant:
    """One dominant colour: sRGB hex, plain name, and its part of the picture."""

    hex: str
    name: str
    fraction: float


@dataclass(frozen=True)
class Monochrome:
    """A picture without colours of its own: grey, or toned as a sepia print is; `tint_lab` (3,) is its mean colour."""

    is_toned: bool
    tint_lab: Lab


def oklab(linear: Array) -> Lab:
    """Return OKLab of linear Rec. 709 (Ottosson, 2020), (..., 3)."""
    lms = np.asarray(linear, np.float64) @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.asarray(
        np.cbrt(lms)
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )


def dominant_colors(linear: Array, weights: Weights) -> list[Dominant]:
    """Return up to six dominant colours, the most frequent first: k-means in OKLab, similar ones merged.

    Args:
        linear: (H, W, 3) linear values of the picture as shown, 0 to 1.
        weights: (H, W) opacity.
    """
    colors, rgb, mass = _cells(np.clip(linear, 0.0, 1.0).reshape(-1, 3), weights.reshape(-1))
    labels = _clusters(colors, mass)
    groups = [(mass * (labels == label)) for label in range(int(labels.max()) + 1)]
    groups = sorted((group for group in groups if group.any()), key=lambda group: -float(group.sum()))
    merged: list[tuple[Lab, Lab, float]] = []
    for group in groups:
        lab, mean, part = group @ colors / group.sum(), group @ rgb / group.sum(), float(group.sum() / mass.sum())
        near = next((i for i, entry in enumerate(merged) if np.linalg.norm(entry[0] - lab) < _SAME_COLOR_DISTANCE), -1)
        if near < 0:
            merged.append((lab, mean, part))
        else:
            merged[near] = (merged[near][0], merged[near][1], merged[near][2] + part)
    merged.sort(key=lambda entry: -entry[2])
    return [Dominant(_hex(mean), color_name(lab), part) for lab, mean, part in merged]


def monochrome(linear: Array, weights: Weights) -> Monochrome | None:
    """Return how a picture is monochrome, or None when it has colours.

    Args:
        linear: (H, W, 3) linear values of the picture as shown, 0 to 1.
        weights: (H, W) opacity.
    """
    colors, _, mass = _cells(np.clip(linear, 0.0, 1.0).reshape(-1, 3), weights.reshape(-1), cell=_CELL / 8.0)
    tint = np.asarray(mass @ colors / mass.sum())
    if float(percentiles(np.linalg.norm(colors[:, 1:], axis=1), mass, (_PART,))[0]) < _GREY_CHROMA:
        return Monochrome(is_toned=False, tint_lab=tint)
    lightness = colors[:, 0] - tint[0]
    design = np.stack([np.ones(len(lightness)), lightness, lightness**2, lightness**3], axis=-1)
    roots = np.sqrt(mass)[:, None]
    curve, *_ = np.linalg.lstsq(design * roots, colors[:, 1:] * roots, rcond=None)
    distances = np.linalg.norm(colors[:, 1:] - design @ curve, axis=1)
    is_toned = float(percentiles(distances, mass, (_PART,))[0]) < _TONED_DISTANCE
    return Monochrome(is_toned=True, tint_lab=tint) if is_toned else None


def _cells(linear: Array, weights: Weights, cell: float = _CELL) -> tuple[Lab, Lab, NDArray[np.float64]]:
    """Return the mean OKLab (N, 3), the mean linear colour (N, 3) and the weight (N,) of cells of similar colours.

    They are ordered by colour, so that nothing depends on where in the picture a colour is.
    """
    kept = weights > 0.0
    lab, mass = oklab(linear[kept]), weights[kept].astype(np.float64)
    steps = np.round(lab / cell).astype(np.int64) + 512
    _, index = np.unique((steps[:, 0] * 2048 + steps[:, 1]) * 2048 + steps[:, 2], return_inverse=True)
    total = np.bincount(index, mass).astype(np.float64)

    def mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
        return np.asarray(
            np.stack([np.bincount(index, values[:, c] * mass) for c in range(3)], axis=-1) / total[:, None]
        )

    return mean(lab), mean(linear[kept]), total


def _clusters(colors: Lab, mass: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cluster (N,) of each colour: weighted k-means from the heaviest, and then the least covered, cells."""
    centres = [colors[int(np.argmax(mass))]]
    while len(centres) < min(_NUM_CLUSTERS, len(colors)):
        distances = np.min([((colors - centre) ** 2).sum(-1) for centre in centres], axis=0)
        centres.append(colors[int(np.argmax(mass * distances))])
    found = np.array(centres)
    labels = np.zeros(len(colors), np.int64)
    for _ in range(_NUM_ROUNDS):
        labels = ((colors[:, None] - found) ** 2).sum(-1).argmin(1)
        for label in np.unique(labels):
            members = mass * (labels == label)
            found[label] = members @ colors / members.sum()
    return np.asarray(labels)


def _hex(linear: Lab) -> str:
    shown = linear_to_srgb(linear.astype(np.float32))
    return "#" + "".join(f"{round(float(channel) * 255):02x}" for channel in shown)
