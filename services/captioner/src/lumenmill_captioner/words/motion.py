"""How light and picture move in a clip."""

import math
from dataclasses import dataclass, replace

import numpy as np

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill_captioner.measure import ClipMotion, Swing
from lumenmill_captioner.requested.expected import ExpectedLight
from lumenmill_captioner.words.change import Side, changes_between
from lumenmill_captioner.words.wording import Words, capitalised, is_overhead
from lumenmill_light.axes import angles_of
from lumenmill_light.color import Array, mired
from lumenmill_light.vocabulary import side

__all__ = [
    "FLICKER_EV",
    "LIGHT_CHANGES_EV",
    "LIGHT_STAYS_EV",
    "STAYS_DEG",
    "KeyMotion",
    "MotionContext",
    "motion_text",
]

FLICKER_EV, _FLICKER_MEANWHILE_EV = 0.1, 0.2
"""Stops from which light flickers, and beside other motion, whose residual resembles some flicker."""
LIGHT_CHANGES_EV, LIGHT_STAYS_EV = 0.4, 0.12
"""Stops from which light changes, and up to which it stays as it is; nothing is said of values in between."""
STAYS_DEG = 20.0
"""Light whose measured direction stays within this does not move."""
# A measured trend is mentioned when it is steady and large enough to be seen.
_STEADY_CORRELATION = 0.85
_TREND_EV = 0.5
_TREND_MIRED = 25.0
# Parts of the textured patches from which things move, and up to which they stay.
_STRUCTURE_MOVES, _STRUCTURE_STAYS = 0.15, 0.05
# Changes of light are less certain where things move.
_LIGHT_CHANGES_TOO_EV, _LIGHT_STAYS_MEANWHILE_EV = 1.5, 0.3
# Angles from which a move of the key light is mentioned: requested ones, and measured ones, which scatter.
_REQUESTED_SWING_DEG, _MEASURED_SWING_DEG, _RISE_DEG = 15.0, 35.0, 12.0
# Turns from which "across the front" or "round the back" is added.
_LONG_WAY_DEG = 100.0


@dataclass(frozen=True)
class KeyMotion:
    """How the key light moves relative to the camera, and in the scene, in the axes of the first frame's camera.

    `in_scene` is None where the camera's move is unknown. Either is None where no steady move is found.
    """

    seen: Swing | None
    in_scene: Swing | None
    is_requested: bool

    @property
    def min_swing_deg(self) -> float:
        """The extent from which a move is mentioned."""
        return _REQUESTED_SWING_DEG if self.is_requested else _MEASURED_SWING_DEG

    @property
    def visible_swing(self) -> Swing | None:
        """The move of the light in the scene, where it is large enough to be mentioned."""
        return self.in_scene if self.in_scene and self.in_scene.extent_deg >= self.min_swing_deg else None


@dataclass(frozen=True)
class MotionContext:
    """What was requested of a clip, and how its key light moves.

    Attributes:
        camera: the camera, if it is known.
        has_requested_light: whether its light was requested, still or moving.
        path: the requested light at the first and the last moment, where it moves.
        interpolation: LightInterpolation of the path.
        key: how the key light moves.
    """

    camera: camera_pb2.Camera | None
    has_requested_light: bool
    path: tuple[ExpectedLight, ExpectedLight] | None
    interpolation: int
    key: KeyMotion | None


def motion_text(
    samples: list[captioner_pb2.LightSample], measured: ClipMotion, context: MotionContext, words: Words
) -> str:
    """Return sentences on moves of camera and light; empty when they are neither known nor measured.

    Args:
        samples: measurements over the clip.
        measured: what moves in the clip, by measurement.
        context: what was requested, and how the key light moves.
        words: the choice of words.
    """
    camera, key = context.camera, context.key
    sentences = [_camera_sentence(camera)] if camera and camera.HasField("path") else []
    swing = key.visible_swing if key else None
    if context.path:
        sentences.append(_path_sentence(*context.path, context.interpolation, swing, words))
    else:
        sentences += [_swing_sentence("The key light", swing, words) if swing else "", _trend_sentence(samples)]
    if key and not swing:
        sentences.append(_relative_motion_sentence(key, words))
    camera_described = bool(camera and camera.path.WhichOneof("move"))
    light_described = context.path is not None or swing is not None
    steady = replace(measured, flicker_ev=None) if context.has_requested_light else measured
    sentences.append(
        _measured_sentence(steady, words, camera_described=camera_described, light_described=light_described)
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _swing_sentence(what: str, swing: Swing, words: Words) -> str:
    """Describe a move: "The key light swings from the left to the right, across the front, and rises."."""
    rise = "rises" if swing.rise_deg > 0.0 else "sinks"
    is_vertical = abs(swing.rise_deg) >= _RISE_DEG
    start, end = angles_of(swing.start), angles_of(swing.end)
    if is_overhead(max(start[1], end[1])):
        return f"{what} moves from {words.position(*start)} to {words.position(*end)}."
    first_side, last_side = side(start[0])[0], side(end[0])[0]
    if first_side != last_side:
        way = _way(swing)
        also = f"{',' if way else ''} and {rise}" if is_vertical else ""
        return f"{what} swings from {first_side} to {last_side}{way}{also}."
    if is_vertical:
        return f"{what} {rise} and keeps coming from {last_side}."
    return f"{what} turns a little to the {'right' if swing.turn_deg > 0.0 else 'left'}."


def _way(swing: Swing) -> str:
    facing = math.cos(math.radians(swing.middle_azimuth_deg))
    if abs(swing.turn_deg) < _LONG_WAY_DEG or abs(facing) < 0.5:
        return ""
    return ", across the front" if facing > 0.0 else ", round the back"


def _relative_motion_sentence(key: KeyMotion, words: Words) -> str:
    """Describe how the light moves as seen from a moving camera: one that stays, or one in an unknown camera move."""
    if key.seen is None or key.seen.extent_deg < key.min_swing_deg:
        return ""
    if key.in_scene is None:
        return _swing_sentence("Seen from the camera, the key light", key.seen, words)
    first_side, last_side = (side(angles_of(vector)[0])[0] for vector in (key.seen.start, key.seen.end))
    if key.in_scene.extent_deg >= STAYS_DEG or first_side == last_side:
        return ""
    return f"The light stays where it is; seen from the moving camera it passes from {first_side} to {last_side}."


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


def _measured_sentence(measured: ClipMotion, words: Words, *, camera_described: bool, light_described: bool) -> str:
    """Describe what moves, except for moves of camera and light that other sentences describe."""
    light, structure = measured.light_motion_ev, measured.structure_motion_fraction
    least = _FLICKER_MEANWHILE_EV if (structure or 0.0) >= _STRUCTURE_MOVES else FLICKER_EV
    flickers = measured.flicker_ev is not None and measured.flicker_ev >= least
    flicker = words.pick(("The light flickers.", "The light is unsteady and flickers.")) if flickers else ""
    if camera_described or light is None or structure is None:
        return flicker
    moves = ""
    if structure >= _STRUCTURE_MOVES and not light_described:
        moves = "The camera or things in the picture move"
        if light >= _LIGHT_CHANGES_TOO_EV:
            moves += ", and the light changes too"
        elif light < _LIGHT_STAYS_MEANWHILE_EV and not flickers:
            moves += " while the light stays as it is"
        moves += "."
    elif structure < _STRUCTURE_STAYS and light >= LIGHT_CHANGES_EV:
        moves = words.pick(("Only the light changes; nothing else moves.", "Nothing moves but the light."))
    elif structure < _STRUCTURE_STAYS and light < LIGHT_STAYS_EV and not light_described and _edges_stay(measured):
        moves = "Nothing moves." if flickers else words.pick(("Light and scene hold still.", "Nothing moves."))
    return " ".join(sentence for sentence in (moves, flicker) if sentence)


def _edges_stay(measured: ClipMotion) -> bool:
    return (measured.shadow_motion_fraction or 0.0) < _STRUCTURE_STAYS


def _path_sentence(
    first: ExpectedLight, last: ExpectedLight, interpolation: int, swing: Swing | None, words: Words
) -> str:
    if swing and interpolation == light_pb2.LIGHT_INTERPOLATION_MOVE:
        rest = changes_between(_without_direction(first), _without_direction(last), words)
        moves = _swing_sentence("The key light", swing, words)
        return f"{moves} By the end {rest.text[:1].lower()}{rest.text[1:]}" if rest.attributes else moves
    change = changes_between(_side(first), _side(last), words)
    if not change.attributes:
        return "The light changes little over the clip."
    how = "cross-fades" if interpolation == light_pb2.LIGHT_INTERPOLATION_BLEND else "changes"
    return capitalised(f"over the clip the light {how}: by its end {change.text[:1].lower()}{change.text[1:]}")


def _side(light: ExpectedLight) -> Side:
    return Side(light.attributes, light.map_names, light.color_name)


def _without_direction(light: ExpectedLight) -> Side:
    attributes = light_pb2.LightAttributes()
    attributes.CopyFrom(light.attributes)
    attributes.ClearField("azimuth_deg")
    attributes.ClearField("elevation_deg")
    return Side(attributes, light.map_names, light.color_name)


def _trend_sentence(samples: list[captioner_pb2.LightSample]) -> str:
    if len(samples) < 4:
        return ""
    times = np.array([sample.time_s for sample in samples])
    levels = np.array([sample.attributes.intensity_ev for sample in samples])
    if _is_trend(times, levels, _TREND_EV):
        return f"The picture grows {'brighter' if levels[-1] > levels[0] else 'darker'} over the clip."
    if all(sample.attributes.HasField("color_temperature_k") for sample in samples):
        mireds = np.array([mired(sample.attributes.color_temperature_k) for sample in samples])
        if _is_trend(times, mireds, _TREND_MIRED):
            return f"Its tones turn {'warmer' if mireds[-1] > mireds[0] else 'cooler'} over the clip."
    return ""


def _is_trend(times: Array, values: Array, least: float) -> bool:
    if np.ptp(values) < least or np.ptp(times) <= 0.0:
        return False
    correlation = float(np.corrcoef(times, values)[0, 1])
    return abs(correlation) >= _STEADY_CORRELATION and abs(values[-1] - values[0]) >= 0.7 * least
