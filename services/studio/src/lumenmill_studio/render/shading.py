"""Compute diffuse shading: irradiance over π at what the camera sees, as it is in the real scene.

Only the surface that the camera sees is replaced by a white Lambertian one, whose radiance is irradiance over π. Direct
light is path traced with white stand-ins for all surfaces; on paths of that length only their shadows matter. Indirect
light is gathered in the real scene, with hidden sources, along cosine-distributed rays from the visible surfaces.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.gather import cosine_rays, first_hits, radiance_along
from lumenmill_studio.render.tracer import Checkpoint, Image, trace_with_coverage

__all__ = ["ShadedStage", "shade"]

# Samples of a picture for each ray of indirect light, which is smooth and costs whole paths.
_SAMPLES_PER_RAY = 3
_DIRECT_DEPTH = 2
_SEED_STEP = 7919


@dataclass(frozen=True)
class ShadedStage:
    """One scene under one light, in three forms.

    White stand-ins with sources; the real scene with sources that have backs
    (:func:`lumenmill_studio.light.emitters.back_of`); and the real shapes as a group, without light.
    """

    stand_ins: Any
    real: Any
    grouped: Any


def shade(
    stage: ShadedStage,
    pose: Pose,
    size_px: tuple[int, int],
    spp: int,
    max_depth: int,
    seed: int,
    checkpoint: Checkpoint,
) -> tuple[Image, Image]:
    """Return the mean shading of each pixel (H, W, 3), 0 without a surface, and the fraction with one (H, W, 1).

    ``spp`` and ``max_depth`` are those of the picture.
    """
    direct = trace_with_coverage(
        stage.stand_ins, pose, size_px, spp, _DIRECT_DEPTH, seed, hide_emitters=True, checkpoint=checkpoint
    )
    num_rays = -(-spp // _SAMPLES_PER_RAY) if max_depth > _DIRECT_DEPTH else 0
    indirect = np.zeros_like(direct[..., :3])
    for index in range(num_rays):
        checkpoint()
        ray_seed = (seed + (index + 1) * _SEED_STEP) & 0x7FFFFFFF
        rays = cosine_rays(first_hits(stage.grouped, pose, size_px, ray_seed), seed, index)
        indirect += radiance_along(stage.real, rays, size_px, max_depth - 1, ray_seed + 1) / num_rays
    return direct[..., :3] + indirect, direct[..., 3:]
