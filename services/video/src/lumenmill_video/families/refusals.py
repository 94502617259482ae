"""The texts with which families refuse fields of GenerateVideoRequest."""

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest

__all__ = ["MEDIA_REFUSALS", "WORD_REFUSALS", "is_set"]

MEDIA_REFUSALS = {
    "image": "this model starts from no picture; leave it out",
    "last_image": "this model ends on no given picture; leave it out",
    "control_clip": "this model takes no control clip; leave it out",
    "control_mask": "this model takes no control clip and no mask; leave it out",
    "reference_images": "this model takes no reference images; leave them out",
    "light_basis": "this model renders nothing; leave it out",
    "display": "this model renders nothing that could be exposed; leave it out",
}
WORD_REFUSALS = {
    "prompt": "this model takes no words; leave it out",
    "negative_prompt": "this model takes no words; leave it out",
    "motion_prompt": "this model takes no words; leave it out",
    "light": "this model takes no words and no light; leave it out",
    "light_path": "this model takes no words and no light; leave it out",
    "camera": "this model takes no words and no camera; leave it out",
    "scene_description": "this model builds no scenes; leave it out",
}


def is_set(request: GenerateVideoRequest, field: str) -> bool:
    """Return whether a field is set; a text of white space is not."""
    value = getattr(request, field)
    return bool(value.strip()) if isinstance(value, str) else field in {known.name for known, _ in request.ListFields()}
