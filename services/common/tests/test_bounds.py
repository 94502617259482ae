"""Bounds that the contracts state are checked by their field."""

from typing import Any

import pytest

from lumenmill.imager.v1.imager_pb2 import GenerateImagesRequest
from lumenmill.prompter.v1.prompter_pb2 import (
    RewritePromptsRequest,
    WriteEditPromptsRequest,
    WriteMotionPromptsRequest,
)
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest
from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.interceptors import check_bounds

_JOB = {"request_id": "one"}


@pytest.mark.parametrize("blank", [" ", "\n\t ", "\u00a0\u3000"])
@pytest.mark.parametrize(
    ("request_type", "field", "fields"),
    [
        (GenerateImagesRequest, "prompt", lambda text: {"prompt": text}),
        (GenerateVideoRequest, "prompt", lambda text: {"prompt": text}),
        (RelightRequest, "variants[0]", lambda text: {"variants": [{"edit_prompt": text}]}),
        (RelightRequest, "variants[0]", lambda text: {"variants": [{"description": text}]}),
        (WriteEditPromptsRequest, "description", lambda text: {"description": text, "num_variants": 1}),
        (WriteMotionPromptsRequest, "description", lambda text: {"description": text, "num_variants": 1}),
        (RewritePromptsRequest, "prompts[1]", lambda text: {"prompts": ["a kettle", text]}),
    ],
)
def test_a_blank_text_counts_as_absent(request_type: Any, field: str, fields: Any, blank: str) -> None:
    check_bounds(request_type(job=_JOB, **fields(f"{blank}a kettle")))
    with pytest.raises(InvalidArgumentError) as refused:
        check_bounds(request_type(job=_JOB, **fields(blank)))
    ((named, problem),) = refused.value.violations
    assert named == field and "some words" in problem


def test_a_blank_prompt_beside_a_scene_is_ignored() -> None:
    check_bounds(GenerateImagesRequest(job=_JOB, prompt=" ", scene={"subjects": ["kettle"]}))


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0, -1e-9, 601.0])
def test_a_duration_is_finite_and_not_negative(seconds: float) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        check_bounds(GenerateVideoRequest(job=_JOB, prompt="waves", duration_s=seconds))
    ((named, problem),) = refused.value.violations
    assert named == "duration_s" and "less than or equal to 600" in problem


@pytest.mark.parametrize("fps", [float("nan"), float("inf"), -24.0, 1e-9, 0.09, 241.0])
def test_a_frame_rate_is_one_that_a_clip_can_have(fps: float) -> None:
    check_bounds(GenerateVideoRequest(job=_JOB, prompt="waves", fps=0.1))
    with pytest.raises(InvalidArgumentError, match="fps: must be"):
        check_bounds(GenerateVideoRequest(job=_JOB, prompt="waves", fps=fps))
