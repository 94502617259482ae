"""How light and picture move in a clip."""

import numpy as np
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import camera_pb2, light_pb2

from lumenmill_captioner.known import ExpectedLight
from lumenmill_captioner.measure import ClipMotion

from ._change import Side, changes_between
from ._vocabulary import Words, capitalised

# A measured trend is told when it is steady and large enough to be seen.
_STEADY_CORRELATION = 0.85
_TREND_EV = 0.5
_TREND_MIRED = 25.0
# What moves is told when it is clear; between the bounds nothing is said. Light is harder to tell where things move.
_FLICKER_EV = 0.1
_STRUCTURE_MOVES, _STRUCTURE_STAYS = 0.15, 0.05
_LIGHT_CHANGES_EV, _LIGHT_STAYS_EV = 0.4, 0.12
_LIGHT_CHANGES_TOO_EV, _LIGHT_STAYS_MEANWHILE_EV = 1.5, 0.3


def motion_text(
    samples: list[captioner_pb2.LightSample],
    measured: ClipMotion,
    path: tuple[ExpectedLight, ExpectedLight] | None,
    interpolation: int,
    camera: camera_pb2.Camera | None,
    words: Words,
) -> str:
    """Return sentences on camera and light moves; empty when neither is known nor measured.

    Args:
        samples: measurements over the clip.
        measured: what moves in the clip, by measurement.
        path: known light at the first and last keyframe, or None.
        interpolation: LightInterpolation of the known path.
        camera: known camera, or None.
        words: the choice of words.
    """
    sentences = [_camera_sentence(camera)] if camera and camera.HasField("path") else []
    if path:
        sentences.append(_path_sentence(path, interpolation, words))
    else:
        sentences.append(_trend_sentence(samples))
    camera_moves = bool(camera and camera.path.WhichOneof("move"))
    sentences.append(_measured_sentence(measured, words, told=camera_moves, light_told=path is not None))
    return " ".join(sentence for sentence in sentences if sentence)


def _camera_sentence(camera: camera_pb2.Camera) -> str:
    path = camera.path
    match path.WhichOneof("move"):
        case "orbit":
            side = "right" if path.orbit.sweep_deg > 0 else "left"
            return f"The camera orbits {abs(round(path.orbit.sweep_deg))} degrees to the {side}."
        case "dolly":
            return "The camera moves in." if path.dolly.end_distance_ratio < 1.0 else "The camera draws back."
        case "pan":
            return f"The camera pans to the {'right' if path.pan.sweep_deg > 0 else 'left'}."
        case "tilt":
            return f"The camera tilts {'up' if path.tilt.sweep_deg > 0 else 'down'}."
        case _:
            return "The camera stands still."


def _measured_sentence(measured: ClipMotion, words: Words, *, told: bool, light_told: bool) -> str:
    """What moves, as far as it was not told already: `told` by a known camera move, `light_told` by a known path."""
    flickers = measured.flicker_ev is not None and measured.flicker_ev >= _FLICKER_EV
    flicker = words.pick(("The light flickers.", "The light is unsteady and flickers.")) if flickers else ""
    light, structure = measured.light_motion_ev, measured.structure_motion_fraction
    if told or light is None or structure is None:
        return flicker
    moves = ""
    if structure >= _STRUCTURE_MOVES and not light_told:
        moves = "The camera or things in the picture move"
        if light >= _LIGHT_CHANGES_TOO_EV:
            moves += ", and the light changes too"
        elif light < _LIGHT_STAYS_MEANWHILE_EV and not flickers:
            moves += " while the light stays as it is"
        moves += "."
    elif structure < _STRUCTURE_STAYS and light >= _LIGHT_CHANGES_EV:
        moves = words.pick(("Only the light changes; nothing else moves.", "Nothing moves but the light."))
    elif structure < _STRUCTURE_STAYS and light < _LIGHT_STAYS_EV and not light_told and _edges_rest(measured):
        moves = "Nothing moves." if flickers else words.pick(("Light and scene hold still.", "Nothing moves."))
    return " ".join(sentence for sentence in (moves, flicker) if sentence)


def _edges_rest(measured: ClipMotion) -> bool:
    return (measured.shadow_motion_fraction or 0.0) < _STRUCTURE_STAYS


def _path_sentence(path: tuple[ExpectedLight, ExpectedLight], interpolation: int, words: Words) -> str:
    first, last = path
    change = changes_between(Side(first.attributes, first.map_names), Side(last.attributes, last.map_names), words)
    if not change.attributes:
        return "The light changes little over the clip."
    how = "cross-fades" if interpolation == light_pb2.LIGHT_INTERPOLATION_BLEND else "changes"
    return capitalised(f"over the clip the light {how}: by its end {change.text[:1].lower()}{change.text[1:]}")


def _trend_sentence(samples: list[captioner_pb2.LightSample]) -> str:
    if len(samples) < 4:
        return ""
    times = np.array([sample.time_s for sample in samples])
    levels = np.array([sample.attributes.intensity_ev for sample in samples])
    if _is_trend(times, levels, _TREND_EV):
        return f"The picture grows {'brighter' if levels[-1] > levels[0] else 'darker'} over the clip."
    if all(sample.attributes.HasField("color_temperature_k") for sample in samples):
        mireds = np.array([1e6 / sample.attributes.color_temperature_k for sample in samples])
        if _is_trend(times, mireds, _TREND_MIRED):
            return f"Its tones turn {'warmer' if mireds[-1] > mireds[0] else 'cooler'} over the clip."
    return ""


def _is_trend(times: "np.typing.NDArray[np.float64]", values: "np.typing.NDArray[np.float64]", least: float) -> bool:
    if np.ptp(values) < least or np.ptp(times) <= 0.0:
        return False
    correlation = float(np.corrcoef(times, values)[0, 1])
    return abs(correlation) >= _STEADY_CORRELATION and abs(values[-1] - values[0]) >= 0.7 * least
