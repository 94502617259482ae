"""The cheapest division of a picture in two: a minimum cut of the grid of its pixels."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

__all__ = ["min_cut"]

Array = NDArray[np.float64]

# Offsets (down, right) to half of the eight neighbours; the others are the same pairs.
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Costs are rounded to this fraction, since flows are integers.
_RESOLUTION = 0.01


def min_cut(background_cost: Array, subject_cost: Array, features: Array, smoothness: float) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are the subject, so that the sum of all costs is the least.

    The costs (H, W) are those of calling a pixel background, and subject; they may be negative. `smoothness` is the
    cost of dividing two neighbours of equal features (H, W, D); it falls with their difference as in GrabCut.
    """
    height, width = background_cost.shape
    count = height * width
    pixels = np.arange(count)
    starts, ends, links = _links(features, smoothness)
    least = np.minimum(background_cost, subject_cost)
    to_subject, to_background = (cost.ravel() for cost in (background_cost - least, subject_cost - least))
    source, sink = np.full(count, count), np.full(count, count + 1)
    capacities = np.concatenate([links, links, to_subject, to_background]) / _RESOLUTION
    places = np.concatenate([starts, ends, source, pixels]), np.concatenate([ends, starts, pixels, sink])
    graph = csr_matrix(coo_matrix((np.round(capacities).astype(np.int32), places), shape=(count + 2, count + 2)))
    graph.eliminate_zeros()
    left = graph - maximum_flow(graph, count, count + 1).flow
    left.eliminate_zeros()
    is_subject = np.zeros(count + 2, bool)
    is_subject[breadth_first_order(left, count, return_predecessors=False)] = True
    return is_subject[:count].reshape(height, width)


def _links(features: Array, smoothness: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Return the pairs of neighbours, and the cost of dividing each."""
    height, width = features.shape[:2]
    numbers = np.arange(height * width).reshape(height, width)
    starts, ends, distances = [], [], []
    for down, right in _NEIGHBOURS:
        start = numbers[: height - down, max(-right, 0) : width - max(right, 0)]
        starts.append(start.ravel())
        ends.append(start.ravel() + down * width + right)
        distances.append(np.full(start.size, np.hypot(down, right)))
    first, second = np.concatenate(starts), np.concatenate(ends)
    flat = features.reshape(height * width, -1)
    differences = ((flat[first] - flat[second]) ** 2).sum(axis=1)
    beta = 0.5 / max(float(differences.mean()), 1e-12)
    return first, second, smoothness / np.concatenate(distances) * np.exp(-beta * differences)
