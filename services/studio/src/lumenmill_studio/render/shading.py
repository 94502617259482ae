"""Diffuse shading: irradiance over π at what the camera sees, as it is in the real scene.

Only the surface that the camera sees gives way to a white Lambertian one, whose radiance is irradiance over π. Light
that comes straight from a source is path traced with white stand-ins for all surfaces, of which nothing but their
shadows counts on paths of that length. Light that comes from anything else is what the real scene, with its sources
hidden, sends along rays by the cosine from the surfaces seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lumenmill_studio.render.camera import Pose
from lumenmill_studio.render.gather import cosine_rays, first_hits, radiance_along
from lumenmill_studio.render.tracer import Checkpoint, Image, trace_with_coverage

# Bounced light is smooth and costs whole paths: one ray for so many samples of a picture.
_SAMPLES_PER_RAY = 3
_STRAIGHT_DEPTH = 2
_SEED_STEP = 7919


@dataclass(frozen=True)
class ShadedStage:
    """One view's scene under one light, three times: white stand-ins and sources; the real scene with sources that have
    backs (:func:`lumenmill_studio.light.emitters.back_of`); and the real shapes grouped, without light."""

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
    """Mean shading of each pixel (H, W, 3), 0 where it sees no surface, and the part of it that sees one (H, W, 1).

    ``spp`` and ``max_depth`` are those of the picture that the shading belongs to.
    """
    straight = trace_with_coverage(
        stage.stand_ins, pose, size_px, spp, _STRAIGHT_DEPTH, seed, hide_emitters=True, checkpoint=checkpoint
    )
    num_rays = -(-spp // _SAMPLES_PER_RAY) if max_depth > _STRAIGHT_DEPTH else 0
    bounced = np.zeros_like(straight[..., :3])
    for index in range(num_rays):
        checkpoint()
        ray_seed = (seed + (index + 1) * _SEED_STEP) & 0x7FFFFFFF
        rays = cosine_rays(first_hits(stage.grouped, pose, size_px, ray_seed), seed, index)
        bounced += radiance_along(stage.real, rays, size_px, max_depth - 1, ray_seed + 1) / num_rays
    return straight[..., :3] + bounced, straight[..., 3:]
