"""Assigns samples to splits, so that no scene or environment map is in two of them.

Each key of a sample (its scene, and the environment maps that light it) is hashed to a split. Samples with a common key
are in the same split, across exports and runs, without any stored state.
"""

import hashlib
import re
from collections.abc import Iterator

from lumenmill.common.v1 import light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import digest_of
from lumenmill_orchestrator.light_paths import recorded_path_maps

__all__ = ["environment_maps_of", "group_of", "main_media_of", "scene_of", "split_of"]

_PERCENT_TRAIN, _PERCENT_VALIDATION = 90, 5
_MAIN_ROLES = ("image", "video")
_GROUP_BY_DIGEST = re.compile(r"g-[0-9a-f]{24}")


def split_of(sample: run_pb2.Sample, rule: "run_pb2.SplitRule.ValueType") -> str | None:
    """Return `train` (90 % of the keys), `validation` (5 %) or `test` (5 %); None when keys are in different splits."""
    keys = [scene_of(sample)]
    if rule != run_pb2.SPLIT_RULE_SCENE:
        keys += environment_maps_of(sample)
    splits = {_split_of_key(key) for key in keys}
    return splits.pop() if len(splits) == 1 else None


def scene_of(sample: run_pb2.Sample) -> str:
    """Return the scene key of a sample; without one, its light group, else its media, else its id."""
    media = [sample.media[role].sha256 for role in _MAIN_ROLES if role in sample.media]
    return sample.scene_key or sample.group_id or (media[0] if media else sample.id)


def group_of(sample: run_pb2.Sample) -> str:
    """Return the light group, qualified by the run where the recipe names it by a literal. Empty without a group."""
    is_global = not sample.group_id or _GROUP_BY_DIGEST.fullmatch(sample.group_id)
    return sample.group_id if is_global else f"{sample.run_id}/{sample.group_id}"


def environment_maps_of(sample: run_pb2.Sample) -> list[str]:
    """Return the digests of the maps and background images of the requested light, of the applied light, and of every
    keyframe of a light path.
    """
    lights = [sample.requested_light, sample.record.light]
    return list(
        dict.fromkeys([*(sha256 for light in lights for sha256 in _maps_of(light)), *recorded_path_maps(sample)])
    )


def main_media_of(sample: run_pb2.Sample) -> list[str]:
    """Return the digests of the images and clips that show the scene, without maps, which scenes may have in common."""
    roles = ("image", "video", "linear", "poster", "frames", "scene")
    return list(dict.fromkeys(sample.media[role].sha256 for role in roles if role in sample.media))


def _maps_of(light: light_pb2.Light) -> Iterator[str]:
    for source in light.sources:
        kind = source.WhichOneof("kind")
        if kind == "environment_map":
            yield digest_of(source.environment_map.map)
        elif kind == "background":
            yield digest_of(source.background.image)


def _split_of_key(key: str) -> str:
    percent = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
    if percent < _PERCENT_TRAIN:
        return "train"
    return "validation" if percent < _PERCENT_TRAIN + _PERCENT_VALIDATION else "test"
