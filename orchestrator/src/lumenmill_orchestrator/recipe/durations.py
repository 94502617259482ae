"""Durations of clips that a model cannot make, found before the run where duration, rate and model are known."""

from collections.abc import Mapping

from google.protobuf.json_format import MessageToDict

from lumenmill.common.v1 import model_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_orchestrator.recipe.context import KnownModel
from lumenmill_orchestrator.recipe.requests import MessageBuilder

__all__ = ["duration_problem"]

_NEEDED = ("duration_s", "fps", "preset")


def duration_problem(request: MessageBuilder, name: str, models: Mapping[str, KnownModel]) -> str:
    """Return why a model cannot make the clip of a request as long as requested; empty where it can, or nobody knows.

    As the video service refuses it: a clip has at most half a frame more than the model makes.
    """
    known = request.known
    model = models[name].model if name in models else None
    if not isinstance(known, video_pb2.GenerateVideoRequest) or model is None or not known.duration_s:
        return ""
    most, fps = model.limits.max_num_frames, known.fps or _fps_of(model, known.preset)
    if not request.open_fields.isdisjoint(_NEEDED) or model.continues_clips or not most or not fps:
        return ""
    if known.duration_s * fps <= most + 0.5:
        return ""
    others = [each.name for each in models.values() if each.model is not None and each.model.continues_clips]
    remedy = f"; of the mesh, {', '.join(f'`{other}`' for other in others)} can" if others else ""
    return (
        f"`duration_s` is {known.duration_s:g}; at most {most / fps:.3g}: `{name}` makes {most} frames, "
        f"here at {fps:g} per second, and cannot continue a clip{remedy}"
    )


def _fps_of(model: model_pb2.Model, preset_name: str) -> float:
    """Return the rate of a preset, the first one without a name; 0 where the model does not state it."""
    for preset in model.presets:
        if preset_name in ("", preset.name):
            facts = MessageToDict(preset.parameters)
            return float(facts.get("fps") or facts.get("video", {}).get("fps", 0.0))  # studio has those of clips apart
    return 0.0
