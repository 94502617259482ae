"""Gaussian mixtures of the features of pixels, fitted as in GrabCut (Rother et al., SIGGRAPH 2004)."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

__all__ = ["Mixture"]

Array = NDArray[np.float64]

_NUM_COMPONENTS = 5
# Added to variances, so that a component of a single colour stays wider than the noise of 8-bit pixels.
_MIN_VARIANCE = 1e-4


@dataclass(frozen=True)
class Mixture:
    """K components over D features: log weights (K,), means (K, D), inverse Cholesky factors (K, D, D)."""

    log_weights: Array
    means: Array
    whitening: Array

    @classmethod
    def clustered(cls, features: Array, seed: int = 0) -> "Mixture":
        """Return a mixture of the clusters of features (N, D), the same for the same features."""
        count = min(_NUM_COMPONENTS, len(features))
        with warnings.catch_warnings():
            # Fewer colours than clusters leave some empty; `_of` leaves these out.
            warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
            _, labels = kmeans2(features, count, minit="++", rng=np.random.default_rng(seed))
        return cls._of(features, labels)

    def refitted(self, features: Array) -> "Mixture":
        """Return a mixture of features (N, D), each assigned to its likeliest component."""
        return self._of(features, self._log_joint(features).argmax(axis=1))

    def cost(self, features: Array) -> Array:
        """Return the negative log likelihood (N,) of features (N, D)."""
        joint = self._log_joint(features)
        highest = joint.max(axis=1)
        return np.asarray(-highest - np.log(np.exp(joint - highest[:, None]).sum(axis=1)))

    @classmethod
    def _of(cls, features: Array, labels: NDArray[np.integer]) -> "Mixture":
        groups = [features[labels == label] for label in np.unique(labels)]
        means = np.stack([group.mean(axis=0) for group in groups])
        centred = [group - mean for group, mean in zip(groups, means, strict=True)]
        noise = _MIN_VARIANCE * np.eye(features.shape[1])
        covariances = np.stack([each.T @ each / len(each) + noise for each in centred])
        weights = np.array([len(group) for group in groups]) / len(features)
        return cls(np.log(weights), means, np.linalg.inv(np.linalg.cholesky(covariances)))

    def _log_joint(self, features: Array) -> Array:
        """Return the log density (N, K) of each component times its weight."""
        columns = []
        for log_weight, mean, whiten in zip(self.log_weights, self.means, self.whitening, strict=True):
            whitened = (features - mean) @ whiten.T
            constant = log_weight + np.log(np.diag(whiten)).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
            columns.append(constant - 0.5 * (whitened**2).sum(axis=1))
        return np.stack(columns, axis=1)
