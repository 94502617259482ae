"""Words for models that know nothing else: what to show, how it moves, and its light, as one prompt.

The structure of a move or a light (`camera`, `light_path`, sources of light, a scene) is taken only beside its words,
which is how prompters write it; the words are what is obeyed.
"""

from collections.abc import Iterator

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.errors import InvalidArgumentError

__all__ = ["check_words", "prompt_of"]


def prompt_of(request: GenerateVideoRequest) -> str:
    """`prompt`, then `motion_prompt`, then the light's text, as sentences; none is said twice."""
    text = ""
    for part in (request.prompt, request.motion_prompt, request.light.text):
        words = part.strip()
        if words and words.casefold() not in text.casefold():
            text = f"{text.rstrip(' .。')}. {words}" if text else words
    return text


def check_words(request: GenerateVideoRequest) -> None:
    """Refuses what has no words.

    Raises:
        InvalidArgumentError: names the field, and where to say it.
    """
    for field, problem in _wordless(request):
        raise InvalidArgumentError(field, problem)


def _wordless(request: GenerateVideoRequest) -> Iterator[tuple[str, str]]:
    if request.HasField("light") and not request.light.text.strip():
        yield "light.text", "this model follows light in words alone; say the light"
    if request.HasField("light_path") and not request.motion_prompt.strip():
        yield "light_path", "this model follows a moving light in words alone; say its move in `motion_prompt`"
    if request.camera.HasField("viewpoint"):
        yield "camera.viewpoint", "this model takes no viewpoint; say it in `prompt`"
    if request.camera.HasField("path") and not request.motion_prompt.strip():
        yield "camera.path", "this model follows a moving camera in words alone; say its move in `motion_prompt`"
    if request.HasField("scene_description") and not request.prompt.strip():
        yield "prompt", "this model builds no scenes; say what to show"
