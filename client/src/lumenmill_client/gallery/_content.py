"""What the gallery shows of the samples of a run, as JSON for its page."""

import base64
from collections import defaultdict
from typing import Any

from lumenmill.common.v1.artifact_pb2 import COLOR_SPACE_SRGB, Artifact
from lumenmill.common.v1.light_pb2 import ArrivedSource, LightAttributes, LightKind
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client
from lumenmill_client._sample_light import lights_of
from lumenmill_client.gallery._jpeg import jpeg_of_plain
from lumenmill_common.artifacts import media_type_of
from lumenmill_common.errors import DataLossError, NotFoundError

__all__ = ["content_of"]

# More groups would make the page too large for browsers; the page says that it shows the first ones.
_MAX_GROUPS = 60
_MAX_REJECTED = 24
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp"})
_PREVIEW = "_preview"


def content_of(client: Client, run: run_pb2.Run, samples: list[run_pb2.Sample]) -> dict[str, Any]:
    """Return the accepted samples by group, and beside them the rejected ones with their reasons.

    Raises:
        LumenmillError: the mesh or its store cannot be read.
    """
    by_group: dict[str, list[run_pb2.Sample]] = defaultdict(list)
    for sample in samples:
        by_group[sample.group_id].append(sample)
    alone = _Members(by_group.pop("", []))
    shown = list(by_group.items())[:_MAX_GROUPS]
    accepted = [sample for sample in samples if sample.verdict == run_pb2.VERDICT_ACCEPTED]
    return {
        "run": run.id,
        "recipe": run.recipe_name,
        "num_images": sum(sample.kind == run_pb2.SAMPLE_KIND_IMAGE for sample in accepted),
        "num_clips": sum(sample.kind == run_pb2.SAMPLE_KIND_CLIP for sample in accepted),
        "num_rejected": len(samples) - len(accepted),
        "num_groups": len(by_group),
        "duration_s": run.end_time.ToSeconds() - run.start_time.ToSeconds() if run.HasField("end_time") else None,
        "models": sorted({step.model for step in run.steps}),
        "groups": [_group(client, _Members(members)) for _, members in shown],
        "photos": [_image(client, sample) for sample in alone.images if "image" in sample.media],
        "rejected_photos": _rejected(client, alone.rejected),
    }


class _Members:
    """The samples of one group by what the page does with them."""

    def __init__(self, samples: list[run_pb2.Sample]) -> None:
        accepted = [sample for sample in samples if sample.verdict == run_pb2.VERDICT_ACCEPTED]
        self.all = samples
        self.images = [sample for sample in accepted if sample.kind == run_pb2.SAMPLE_KIND_IMAGE]
        self.clips = [sample for sample in accepted if sample.kind == run_pb2.SAMPLE_KIND_CLIP]
        self.rejected = [sample for sample in samples if sample.verdict == run_pb2.VERDICT_REJECTED]


def _group(client: Client, members: _Members) -> dict[str, Any]:
    return {
        "prompt": next((sample.prompt for sample in members.all if sample.prompt), ""),
        "images": [_image(client, sample) for sample in members.images],
        "intrinsics": _intrinsics(client, members.images),
        "clips": [_clip(client, sample) for sample in members.clips],
        "rejected": _rejected(client, members.rejected),
    }


def _image(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    return _common(client, sample) | {"src": _picture(client, sample.media["image"]), "instruction": sample.instruction}


def _clip(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    poster = _picture(client, sample.media["poster"]) if "poster" in sample.media else ""
    maps = [
        {"name": role.removesuffix(_PREVIEW), "src": _clip_data(client, artifact)}
        for role, artifact in sorted(sample.media.items())
        if role.endswith(_PREVIEW) and artifact.media_type == "video/mp4"
    ]
    return _common(client, sample) | {"src": _clip_data(client, sample.media["video"]), "poster": poster, "maps": maps}


def _intrinsics(client: Client, images: list[run_pb2.Sample]) -> list[dict[str, str]]:
    """Return the maps of a group; maps that depend on light are those of the first image."""
    maps: dict[str, Artifact] = {}
    for sample in images:
        for role, artifact in sample.media.items():
            if role.endswith(_PREVIEW) and artifact.media_type == "image/png":
                maps.setdefault(role.removesuffix(_PREVIEW), artifact)
    return [{"name": name, "src": _picture(client, artifact)} for name, artifact in sorted(maps.items())]


def _rejected(client: Client, samples: list[run_pb2.Sample]) -> list[dict[str, Any]]:
    return [_rejection(client, sample) for sample in samples[:_MAX_REJECTED]]


def _rejection(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    """Return a rejected sample; one that was not made has no picture."""
    picture = next((sample.media[role] for role in ("image", "poster") if role in sample.media), None)
    reason, _, finding = sample.reason.partition(": ")
    return {
        "id": sample.id,
        "src": _picture(client, picture) if picture is not None else "",
        "reason": reason.replace("_", " "),
        "finding": finding,
        "caption": sample.caption,
        "instruction": sample.instruction,
    } | _light(sample)


def _common(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "caption": sample.caption,
        "content": sample.caption.removesuffix(sample.light_caption).strip() if sample.light_caption else "",
        "light": sample.light_caption,
        "scores": dict(sample.scores),
        "made_by": f"{sample.record.model} {sample.record.revision}".strip(),
        "seed": str(sample.record.seed) if sample.HasField("record") else "",
        "licences": [f"{licence.subject}: {licence.spdx_id}" for licence in sample.licences],
        "lineage": [_entry(step) for step in client.lineage(sample.id).executions],
    } | _light(sample)


def _light(sample: run_pb2.Sample) -> dict[str, Any]:
    lights = {name: _attributes(attributes) for name, attributes in lights_of(sample).items()}
    return {"lights": lights, "sources": [_source(source) for source in sample.arrived_light.sources]}


def _source(source: ArrivedSource) -> dict[str, Any]:
    color = source.color if source.HasField("color") else None
    return _attributes(source.attributes) | {
        "share": source.share,
        "unoccluded_fraction": source.unoccluded_fraction,
        "rgb": [color.red, color.green, color.blue] if color is not None else None,
    }


def _attributes(attributes: LightAttributes) -> dict[str, Any]:
    content: dict[str, Any] = {field.name: value for field, value in attributes.ListFields() if field.name != "kinds"}
    content["kinds"] = [
        LightKind.Name(kind).removeprefix("LIGHT_KIND_").replace("_", " ").lower() for kind in attributes.kinds
    ]
    return content


def _entry(step: run_pb2.StepExecution) -> dict[str, Any]:
    return {
        "step": step.step,
        "call": step.call,
        "model": f"{step.model} {step.revision}".strip(),
        "duration_s": round(step.duration_s, 2),
        "reused": step.reused,
        "read": [sha256[:10] for sha256 in step.input_sha256s],
        "wrote": [sha256[:10] for sha256 in step.output_sha256s],
    }


def _picture(client: Client, artifact: Artifact) -> str:
    """Return a picture as a data URI; an empty text for EXR and Radiance, which browsers do not show, and lost ones."""
    media_type = artifact.media_type or media_type_of(artifact.uri)
    if media_type not in _SHOWN:
        return ""
    data = _read(client, artifact)
    if data and media_type == "image/png" and artifact.image.color_space == COLOR_SPACE_SRGB:
        jpeg = jpeg_of_plain(data)
        if jpeg is not None:
            return _data_uri("image/jpeg", jpeg)
    return _data_uri(media_type, data)


def _clip_data(client: Client, artifact: Artifact) -> str:
    return _data_uri(artifact.media_type or media_type_of(artifact.uri), _read(client, artifact))


def _read(client: Client, artifact: Artifact) -> bytes:
    """Return the bytes of an artifact; none if it is missing or damaged, so that the others are still shown."""
    try:
        return client.read(artifact)
    except (NotFoundError, DataLossError):
        return b""


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}" if data else ""
