"""Pictures and clips of samples, as forms name them."""

from collections.abc import Collection

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import extension_of

__all__ = ["IMAGES", "VIDEOS", "control_of", "file_name_of", "folder_of", "main_artifact", "size_px_of", "words_of"]

IMAGES = frozenset({"image/jpeg", "image/png", "image/webp"})
"""Images that every reader opens."""
VIDEOS = frozenset({"video/mp4", "video/quicktime", "video/x-matroska"})
"""Clips that every reader opens; not all of them know WebM."""
_CONTROLS = ("depth", "normals", "albedo")


def main_artifact(sample: run_pb2.Sample) -> artifact_pb2.Artifact | None:
    """The picture or clip that a sample is; None when it has none that every reader opens."""
    is_clip = sample.kind == run_pb2.SAMPLE_KIND_CLIP
    return _first(sample, ["video" if is_clip else "image"], VIDEOS if is_clip else IMAGES)


def control_of(sample: run_pb2.Sample) -> artifact_pb2.Artifact | None:
    """The map that can control a model: depth, else normals, else albedo, a picture or clip as the sample is."""
    roles = [role for control in _CONTROLS for role in (f"{control}_preview", control)]
    return _first(sample, roles, VIDEOS if sample.kind == run_pb2.SAMPLE_KIND_CLIP else IMAGES)


def folder_of(sample: run_pb2.Sample) -> str:
    """The folder of a sample's kind."""
    return "clips" if sample.kind == run_pb2.SAMPLE_KIND_CLIP else "images"


def file_name_of(artifact: artifact_pb2.Artifact) -> str:
    """The name of a media file within a dataset."""
    return artifact.sha256 + extension_of(artifact.media_type)


def words_of(sample: run_pb2.Sample) -> str:
    """What a model is to be told to make the sample: its caption, else the prompt that it was made from."""
    return sample.caption or sample.prompt


def size_px_of(artifact: artifact_pb2.Artifact) -> tuple[int, int] | None:
    """(width, height); None when not recorded."""
    facts = artifact.video if artifact.HasField("video") else artifact.image
    return (facts.width_px, facts.height_px) if facts.width_px and facts.height_px else None


def _first(
    sample: run_pb2.Sample, roles: Collection[str], media_types: Collection[str]
) -> artifact_pb2.Artifact | None:
    for role in roles:
        if role in sample.media and sample.media[role].media_type in media_types:
            return sample.media[role]
    return None
