"""Direction of the key: with depth by a search that includes shadows, else by shading on normals."""

from dataclasses import dataclass, replace

import numpy as np

from lumenmill_captioner.measure.confidence import direction_features, found_confidence, key_confidence
from lumenmill_captioner.measure.evidence import Evidence, Surface
from lumenmill_captioner.measure.key_fit import KeyFit, fit_key, gather
from lumenmill_captioner.measure.relief import Relief, relief_of
from lumenmill_captioner.measure.source_search import Found, Samples, sampled, search
from lumenmill_light.axes import Vector

__all__ = ["Key", "measured_key", "relief_in"]

_MIN_SAMPLES = 100


@dataclass(frozen=True)
class Key:
    """The key light of a picture.

    Attributes:
        fit: the fitted source; its direction is in the level frame.
        confidence: calibrated confidence of the direction, 0 to 1.
        method: name of the method.
        found: the source as it was found with its shadows, and the samples of surfaces; None without depth.
        by_normals: the source that normals alone show.
    """

    fit: KeyFit
    confidence: float
    method: str
    by_normals: KeyFit
    found: tuple[Found, Samples] | None = None

    @property
    def direction(self) -> Vector:
        """Unit vector (3,) towards the key in the level frame."""
        return self.fit.direction

    @property
    def is_broad(self) -> bool:
        """Whether shading, with its shadows, is best explained by a source of more than a quarter of the sky."""
        return self.found is not None and self.found[0].is_broad


def measured_key(evidence: Evidence, surface: Surface, relief: Relief | None) -> Key | None:
    """Return the key light of lit surfaces, or None where their shading does not vary."""
    levels = np.repeat(surface.luminance[:, None], 3, axis=1)
    shading = gather(surface.normals, levels, np.ones(len(levels)))
    fit = fit_key(shading) if shading else None
    if relief is not None:
        samples = sampled(evidence, surface, relief)
        if len(samples.shading) >= _MIN_SAMPLES:
            return _searched(evidence, relief, samples, fit)
    return Key(fit, key_confidence(fit), "lambert-key-soft-l1", fit) if fit else None


def relief_in(evidence: Evidence) -> Relief | None:
    """Return the visible surfaces of a picture with depth and normals; None without, or where the two disagree."""
    if evidence.depth is None or evidence.normals is None:
        return None
    in_camera = (evidence.normals @ evidence.camera_axes.T).astype(np.float32)
    return relief_of(evidence.depth, in_camera, evidence.focal_px)


def _searched(evidence: Evidence, relief: Relief, samples: Samples, fit: KeyFit | None) -> Key | None:
    found = search(relief, evidence.camera_axes, samples)
    if fit is None or found.improvement <= 0.0:
        return None
    direction = np.asarray(found.direction @ evidence.camera_axes)
    confidence = found_confidence(direction_features(found, fit, direction))
    strength, even = found.strength * samples.level, found.even * samples.level
    searched = replace(fit, direction=direction, strength=strength, even=even)
    return Key(searched, confidence, "shadowed-lambert-search", fit, (found, samples))
