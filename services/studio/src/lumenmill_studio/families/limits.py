"""Check the sizes and rates of requests against the bounds of the studio family, which GetModel declares."""

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill_common.errors import InvalidArgumentError

__all__ = [
    "MAX_BATCH",
    "MAX_EXPOSURE_EV",
    "MAX_NUM_FRAMES",
    "MAX_SIZE_PX",
    "SIZE_MULTIPLE_PX",
    "fps_of",
    "num_frames_of",
    "recorded_exposure_ev",
    "size_of",
]

MAX_SIZE_PX = 2048
SIZE_MULTIPLE_PX = 2
MAX_BATCH = 64
MAX_NUM_FRAMES = 480
# The lowest rate is slower than a slide show, the highest is the bound of the contract.
MIN_FPS, MAX_FPS = 0.1, 240.0
# Refusals round the shortest duration to four digits.
_ROUNDING = 1e-3
# Beyond it single floats overflow.
MAX_EXPOSURE_EV = 64.0


def fps_of(fps: float, default_fps: float, field_name: str) -> float:
    """Return the frames per second in effect.

    Raises:
        InvalidArgumentError: beyond the bounds of a clip; names ``field_name``.
    """
    if fps and not MIN_FPS <= fps <= MAX_FPS:
        raise InvalidArgumentError(field_name, f"is {fps:g}; must be between {MIN_FPS:g} and {MAX_FPS:g}")
    return fps or default_fps


def num_frames_of(num_frames: int, duration_s: float, fps: float) -> int:
    """Return the number of frames that a request asks for, by number or duration; 0 for neither.

    Raises:
        InvalidArgumentError: more than the bound, or shorter than a frame; names ``num_frames`` or ``duration_s``.
    """
    if num_frames > MAX_NUM_FRAMES:
        raise InvalidArgumentError("num_frames", f"is {num_frames}; at most {MAX_NUM_FRAMES}")
    if not duration_s:
        return num_frames
    if duration_s * fps < 1.0 - _ROUNDING:
        raise InvalidArgumentError(
            "duration_s", f"is {duration_s:g}; at least {1 / fps:.4g}: one frame at {fps:g} per second"
        )
    requested = round(duration_s * fps)
    if requested > MAX_NUM_FRAMES:
        longest = f"{MAX_NUM_FRAMES / fps:.3g}: {MAX_NUM_FRAMES} frames at {fps:g} per second"
        raise InvalidArgumentError("duration_s", f"is {duration_s:g}; at most {longest}")
    return requested


def recorded_exposure_ev(image: Artifact) -> float | None:
    """Return the exposure in stops that the facts of a request's image record, if they do.

    Raises:
        InvalidArgumentError: beyond what can be computed; names ``image.image.exposure_ev``.
    """
    if not image.image.HasField("exposure_ev"):
        return None
    exposure_ev = image.image.exposure_ev
    if abs(exposure_ev) > MAX_EXPOSURE_EV:
        problem = f"is {exposure_ev:g}; must be between {-MAX_EXPOSURE_EV:g} and {MAX_EXPOSURE_EV:g}"
        raise InvalidArgumentError("image.image.exposure_ev", problem)
    return float(exposure_ev)


def size_of(width_px: int, height_px: int, default_px: tuple[int, int], field_name: str = "") -> tuple[int, int]:
    """Return width and height in effect; one alone keeps the aspect of the default.

    Raises:
        InvalidArgumentError: beyond the limits; names ``field_name``, or else ``width_px`` or ``height_px``.
    """
    width, height = default_px
    if width_px and height_px:
        width, height = width_px, height_px
    elif width_px:
        width, height = width_px, _even(width_px * height / width)
    elif height_px:
        width, height = _even(height_px * width / height), height_px
    for name, value in (("width_px", width), ("height_px", height)):
        if value < 16 or value > MAX_SIZE_PX or value % SIZE_MULTIPLE_PX:
            problem = f"is {value}; must be even and between 16 and {MAX_SIZE_PX}"
            raise InvalidArgumentError(field_name or name, f"{name} {problem}" if field_name else problem)
    return width, height


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
