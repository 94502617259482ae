"""One prompt for models that take nothing but words: what to show, how it moves, and its light.

The structure of a move or a light (`camera`, `light_path`, sources of light, a scene) is accepted only together with
its words, as prompters write it; the model follows the words.
"""

from collections.abc import Iterator

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["check_words", "prompt_of"]


def prompt_of(request: GenerateVideoRequest) -> str:
    """Return `prompt`, `motion_prompt` and the text of the light as sentences, without repetitions."""
    text = ""
    for part in (request.prompt, request.motion_prompt, request.light.text):
        words = part.strip()
        if words and words.casefold() not in text.casefold():
            text = f"{text.rstrip(' .。')}. {words}" if text else words
    return text


def check_words(request: GenerateVideoRequest) -> None:
    """Refuse structure without words.

    Raises:
        InvalidArgumentError: names the field, and where to describe it.
    """
    for field, problem in _wordless(request):
        raise InvalidArgumentError(field, problem)


def _wordless(request: GenerateVideoRequest) -> Iterator[tuple[str, str]]:
    if request.HasField("light") and not request.light.text.strip():
        yield "light.text", "this model takes light as words only; describe the light"
    if request.HasField("light_path") and not request.motion_prompt.strip():
        yield "light_path", "this model takes a moving light as words only; describe it in `motion_prompt`"
    if request.camera.HasField("viewpoint"):
        yield "camera.viewpoint", "this model takes no viewpoint; describe it in `prompt`"
    if request.camera.HasField("path") and not request.motion_prompt.strip():
        yield "camera.path", "this model takes a moving camera as words only; describe it in `motion_prompt`"
    if request.HasField("scene_description") and not request.prompt.strip():
        yield "prompt", "this model builds no scenes; describe what to show"
