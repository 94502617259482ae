"""Images and clips of samples, as export formats name them."""

from collections.abc import Collection

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["IMAGES", "VIDEOS", "control_of", "folder_of", "main_artifact", "prompt_of", "size_px_of"]

IMAGES = frozenset({"image/jpeg", "image/png", "image/webp"})
"""Images that all readers open."""
VIDEOS = frozenset({"video/mp4", "video/quicktime", "video/x-matroska"})
"""Clips that all readers open; some do not open WebM."""
_CONTROLS = ("depth", "normals", "albedo")


def main_artifact(sample: run_pb2.Sample) -> artifact_pb2.Artifact | None:
    """Return the image or clip of a sample; None when it has none that all readers open."""
    is_clip = sample.kind == run_pb2.SAMPLE_KIND_CLIP
    return _first(sample, ["video" if is_clip else "image"], VIDEOS if is_clip else IMAGES)


def control_of(sample: run_pb2.Sample) -> artifact_pb2.Artifact | None:
    """Return the map that can control a model: depth, else normals, else albedo; an image or clip as the sample."""
    roles = [role for control in _CONTROLS for role in (f"{control}_preview", control)]
    return _first(sample, roles, VIDEOS if sample.kind == run_pb2.SAMPLE_KIND_CLIP else IMAGES)


def folder_of(sample: run_pb2.Sample) -> str:
    """Return the folder of a sample's kind."""
    return "clips" if sample.kind == run_pb2.SAMPLE_KIND_CLIP else "images"


def prompt_of(sample: run_pb2.Sample) -> str:
    """Return the prompt to train with: the caption of a sample, else the prompt that it was made from."""
    return sample.caption or sample.prompt


def size_px_of(artifact: artifact_pb2.Artifact) -> tuple[int, int] | None:
    """Return (width, height) in pixels; None when not recorded."""
    facts = artifact.video if artifact.HasField("video") else artifact.image
    return (facts.width_px, facts.height_px) if facts.width_px and facts.height_px else None


def _first(
    sample: run_pb2.Sample, roles: Collection[str], media_types: Collection[str]
) -> artifact_pb2.Artifact | None:
    for role in roles:
        if role in sample.media and sample.media[role].media_type in media_types:
            return sample.media[role]
    return None
