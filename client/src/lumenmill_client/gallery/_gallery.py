"""Writes the samples of a run as one HTML file."""

import base64
import io
import json
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.light_pb2 import LightAttributes, LightKind
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_client._client import Client

__all__ = ["write_gallery"]

# More groups would make the page too large for browsers; the page says that it shows the first ones.
_MAX_GROUPS = 60
_JPEG_QUALITY = 90
_PREVIEW = "_preview"


def write_gallery(client: Client, run: run_pb2.Run, path: Path) -> None:
    """Write the accepted samples of a run as one HTML file that contains all images and clips.

    Raises:
        LumenmillError: the mesh or its store cannot be read.
    """
    samples = list(client.samples(run.id, verdicts=[run_pb2.VERDICT_ACCEPTED]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(_content(client, run, samples)))


def _page(content: dict[str, Any]) -> str:
    package = resources.files(__package__)
    page = package.joinpath("gallery.html").read_text()
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")  # a caption cannot close the script element
    parts = {
        "/*STYLE*/": package.joinpath("gallery.css").read_text(),
        "/*SCRIPT*/": package.joinpath("gallery.js").read_text(),
        "/*DATA*/": data,
    }
    for placeholder, text in parts.items():
        page = page.replace(placeholder, text, 1)
    return page


def _content(client: Client, run: run_pb2.Run, samples: list[run_pb2.Sample]) -> dict[str, Any]:
    by_group: dict[str, list[run_pb2.Sample]] = defaultdict(list)
    for sample in samples:
        by_group[sample.group_id].append(sample)
    photos = [sample for sample in by_group.pop("", []) if "image" in sample.media]
    shown = list(by_group.items())[:_MAX_GROUPS]
    return {
        "run": run.id,
        "recipe": run.recipe_name,
        "num_images": sum(sample.kind == run_pb2.SAMPLE_KIND_IMAGE for sample in samples),
        "num_clips": sum(sample.kind == run_pb2.SAMPLE_KIND_CLIP for sample in samples),
        "num_groups": len(by_group),
        "duration_s": run.end_time.ToSeconds() - run.start_time.ToSeconds() if run.HasField("end_time") else None,
        "models": sorted({step.model for step in run.steps}),
        "groups": [_group(client, group_id, members) for group_id, members in shown],
        "photos": [_image(client, sample) for sample in photos],
    }


def _group(client: Client, group_id: str, members: list[run_pb2.Sample]) -> dict[str, Any]:
    images = [sample for sample in members if sample.kind == run_pb2.SAMPLE_KIND_IMAGE]
    clips = [sample for sample in members if sample.kind == run_pb2.SAMPLE_KIND_CLIP]
    return {
        "id": group_id,
        "prompt": next((sample.prompt for sample in members if sample.prompt), ""),
        "images": [_image(client, sample) for sample in images],
        "intrinsics": _intrinsics(client, images),
        "clips": [_clip(client, sample) for sample in clips],
    }


def _image(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    return _common(client, sample) | {"src": _jpeg(client, sample.media["image"]), "instruction": sample.instruction}


def _clip(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    poster = _jpeg(client, sample.media["poster"]) if "poster" in sample.media else ""
    maps = [
        {"name": role.removesuffix(_PREVIEW), "src": _mp4(client, artifact)}
        for role, artifact in sorted(sample.media.items())
        if role.endswith(_PREVIEW) and artifact.media_type == "video/mp4"
    ]
    return _common(client, sample) | {"src": _mp4(client, sample.media["video"]), "poster": poster, "maps": maps}


def _intrinsics(client: Client, images: list[run_pb2.Sample]) -> list[dict[str, str]]:
    """Return the maps of a group; maps that depend on light are those of the first image."""
    maps: dict[str, Artifact] = {}
    for sample in images:
        for role, artifact in sample.media.items():
            if role.endswith(_PREVIEW) and artifact.media_type == "image/png":
                maps.setdefault(role.removesuffix(_PREVIEW), artifact)
    return [{"name": name, "src": _jpeg(client, artifact)} for name, artifact in sorted(maps.items())]


def _common(client: Client, sample: run_pb2.Sample) -> dict[str, Any]:
    return {
        "id": sample.id,
        "caption": sample.caption,
        "light": sample.light_caption or sample.light.text,
        "requested": _attributes(sample.light.attributes) if sample.HasField("light") else {},
        "measured": _attributes(sample.measured_light),
        "scores": dict(sample.scores),
        "made_by": f"{sample.record.model} {sample.record.revision}".strip(),
        "seed": str(sample.record.seed) if sample.HasField("record") else "",
        "licences": [f"{licence.subject}: {licence.spdx_id}" for licence in sample.licences],
        "lineage": [_entry(step) for step in client.lineage(sample.id).executions],
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


def _jpeg(client: Client, artifact: Artifact) -> str:
    """Return an image as a JPEG data URI; PNG would be five times as large."""
    with Image.open(io.BytesIO(client.read(artifact))) as image:
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _mp4(client: Client, artifact: Artifact) -> str:
    return f"data:video/mp4;base64,{base64.b64encode(client.read(artifact)).decode()}"
