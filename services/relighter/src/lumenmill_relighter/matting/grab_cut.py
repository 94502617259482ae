"""GrabCut (Rother et al., SIGGRAPH 2004): the subject of a picture, from pixels that are known to be subject or not."""

import numpy as np
from numpy.typing import NDArray

from lumenmill_relighter.matting.min_cut import min_cut
from lumenmill_relighter.matting.mixture import Mixture

__all__ = ["grab_cut"]

Mask = NDArray[np.bool_]

# As in the paper.
_SMOOTHNESS = 50.0
_NUM_ROUNDS = 5
# More than any other cost of a pixel, whose eight links cost at most 8 × _SMOOTHNESS.
_CERTAIN = 9 * _SMOOTHNESS


def grab_cut(features: NDArray[np.float64], subject: Mask, is_subject: Mask, is_background: Mask) -> Mask:
    """Return which pixels are the subject.

    Args:
        features: of the pixels, (H, W, D).
        subject: first guess of the subject (H, W), with pixels inside and outside.
        is_subject: pixels that are certainly the subject (H, W).
        is_background: pixels that are certainly not (H, W).
    """
    flat = features.reshape(-1, features.shape[-1])
    mixtures = [Mixture.clustered(flat[each.ravel()]) for each in (subject, ~subject)]
    for _ in range(_NUM_ROUNDS):
        subject_cost, background_cost = (mixture.cost(flat).reshape(subject.shape) for mixture in mixtures)
        difference = np.clip(background_cost - subject_cost, -_CERTAIN, _CERTAIN)
        difference = np.where(is_subject, _CERTAIN, np.where(is_background, -_CERTAIN, difference))
        found = min_cut(difference, np.zeros_like(difference), features, _SMOOTHNESS)
        if (found == subject).all() or found.all() or not found.any():
            return found
        subject = found
        mixtures = [
            mixture.refitted(flat[each.ravel()]) for mixture, each in zip(mixtures, (subject, ~subject), strict=True)
        ]
    return subject
