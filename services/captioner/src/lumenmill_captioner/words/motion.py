"""How light and picture move in a clip."""

import math
from dataclasses import dataclass, replace

import numpy as np

from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill_captioner.measure import ClipMotion, Swing
from lumenmill_captioner.words.arrived import arrived_text
from lumenmill_captioner.words.change import changes_between
from lumenmill_captioner.words.lighting import Lighting, arrived_lighting
from lumenmill_captioner.words.shown import Shown
from lumenmill_captioner.words.wording import Words, is_overhead
from lumenmill_light.axes import angles_of
from lumenmill_light.color import Array, mired
from lumenmill_light.visible_lights import visible_lights
from lumenmill_light.vocabulary import position_phrase, side

__all__ = [
    "FLICKER_EV",
    "LIGHT_CHANGES_EV",
    "LIGHT_STAYS_EV",
    "STAYS_DEG",
    "KeyMotion",
    "MotionContext",
    "Tone",
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
# Angles from which a move of the key light is mentioned: known ones, and measured ones, which scatter.
_KNOWN_SWING_DEG, _MEASURED_SWING_DEG, _RISE_DEG = 15.0, 35.0, 12.0
# Turns from which "across the front" or "round the back" is added.
_LONG_WAY_DEG = 100.0


@dataclass(frozen=True)
class KeyMotion:
    """How the key light moves relative to the camera, and in the scene, in the axes of the first frame's camera.

    `in_scene` is None where the camera's move is unknown. Either is None where no steady move is found. `is_exact` is
    false for measured motion.
    """

    seen: Swing | None
    in_scene: Swing | None
    camera_is_known: bool
    is_exact: bool

    @property
    def min_swing_deg(self) -> float:
        """The extent from which a move is mentioned."""
        return _KNOWN_SWING_DEG if self.is_exact else _MEASURED_SWING_DEG

    @property
    def visible_swing(self) -> Swing | None:
        """The move of the light in the scene, where it is large enough to be mentioned."""
        return self.in_scene if self.in_scene and self.in_scene.extent_deg >= self.min_swing_deg else None


@dataclass(frozen=True)
class Tone:
    """Brightness as shown, in stops from mid grey, and colour at one moment; None where the colour is not known."""

    time_s: float
    shown_brightness_ev: float
    color_temperature_k: float | None


@dataclass(frozen=True)
class MotionContext:
    """What is known of a clip.

    Attributes:
        camera: the camera, if it is known.
        arrived: the arrived light in time order, all relative to the camera at the start; empty where it is not known.
        key: how the key light moves.
        tones: of the measured moments, in time order.
    """

    camera: camera_pb2.Camera | None
    arrived: tuple[light_pb2.ArrivedLight, ...]
    key: KeyMotion | None
    tones: tuple[Tone, ...] = ()


def motion_text(measured: ClipMotion, context: MotionContext, words: Words) -> str:
    """Return sentences on moves of camera and light; empty when they are neither known nor measured.

    Args:
        measured: what moves in the clip, by measurement.
        context: what is known of the clip.
        words: the choice of words.
    """
    camera, key = context.camera, context.key
    sentences = [_camera_sentence(camera)] if camera and camera.HasField("path") else []
    swing = key.visible_swing if key else None
    if swing:
        sentences.append(_swing_sentence("The key light", swing, words))
    seen = _relative_motion_sentence(key, words) if key and not swing else ""
    if not context.arrived:
        sentences.append(_trend_sentence(context.tones))
    elif _changes(context.arrived, words):
        sentences.append(_end_sentence(context.arrived, swing, words))
    elif not seen:
        sentences.append(words.pick(_UNCHANGED))
    sentences.append(seen)
    camera_described = bool(camera and camera.path.WhichOneof("move"))
    light_described = bool(context.arrived) or swing is not None
    steady = replace(measured, flicker_ev=None) if context.arrived else measured
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
        return f"{what} moves from {position_phrase(*start)} to {position_phrase(*end)}."
    first_side, last_side = _side(*start), _side(*end)
    if first_side != last_side:
        way = _way(swing)
        also = f"{',' if way else ''} and {rise}" if is_vertical else ""
        return f"{what} swings from {first_side} to {last_side}{way}{also}."
    if is_vertical:
        return f"{what} {rise} and keeps coming from {last_side}."
    return f"{what} turns a little to the {'right' if swing.turn_deg > 0.0 else 'left'}."


def _side(azimuth_deg: float, elevation_deg: float) -> str:
    """Return a side without a comma, which may stand before "to"."""
    sides = side(azimuth_deg, elevation_deg)
    return sides[1] if sides[-1].startswith("slightly ") else sides[0]


def _way(swing: Swing) -> str:
    facing = math.cos(math.radians(swing.middle_azimuth_deg))
    if abs(swing.turn_deg) < _LONG_WAY_DEG or abs(facing) < 0.5:
        return ""
    return ", across the front" if facing > 0.0 else ", round the back"


def _relative_motion_sentence(key: KeyMotion, words: Words) -> str:
    """Describe how the light moves as seen from a moving camera: one that stays, or one in an unknown camera move."""
    if key.seen is None or key.seen.extent_deg < key.min_swing_deg:
        return ""
    if not key.camera_is_known:
        return _swing_sentence("Seen from the camera, the key light", key.seen, words)
    if key.in_scene is None:
        # Its directions scatter in the scene, so that it is not known whether it moves.
        return ""
    first_side, last_side = (_side(*angles_of(vector)) for vector in (key.seen.start, key.seen.end))
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


_UNCHANGED = ("The light does not change.", "The light stays as it is.")


def _changes(arrived: tuple[light_pb2.ArrivedLight, ...], words: Words) -> bool:
    """Return whether the light differs from that at the start at any moment."""
    first, *others = map(arrived_lighting, arrived)
    return any(changes_between(first, other, words).attributes for other in others)


def _end_sentence(arrived: tuple[light_pb2.ArrivedLight, ...], swing: Swing | None, words: Words) -> str:
    """Describe how the light at the end differs from that at the start, but for a move that is described already."""
    if len({visible_lights(light)[0].source_index for light in arrived if light.sources}) > 1:
        # Another source has become the strongest: no light has moved.
        end_text = arrived_text(arrived[-1], Shown(), words, one_sentence=True)
        return f"The light cross-fades: by the end {end_text[:1].lower()}{end_text[1:]}"
    start, end = (
        _without_direction(side) if swing else side for side in map(arrived_lighting, (arrived[0], arrived[-1]))
    )
    change = changes_between(start, end, words)
    sentences = change.text.removesuffix(".").split(". ") if change.text else []
    return " ".join(
        f"By the end {text[:1].lower()}{text[1:]}.".replace(" is now ", " is ").replace(" now comes ", " comes ")
        for text in sentences
    )


def _without_direction(lighting: Lighting) -> Lighting:
    if not lighting.lights:
        return lighting
    attributes = light_pb2.LightAttributes()
    attributes.CopyFrom(lighting.lights[0].attributes)
    attributes.ClearField("azimuth_deg")
    attributes.ClearField("elevation_deg")
    key = replace(lighting.lights[0], attributes=attributes)
    return replace(lighting, lights=(key, *lighting.lights[1:]), all_is_known=False)


def _trend_sentence(tones: tuple[Tone, ...]) -> str:
    """Describe a steady trend of the picture, which may be one of the exposure as well as of the light."""
    if len(tones) < 4:
        return ""
    times = np.array([tone.time_s for tone in tones])
    levels = np.array([tone.shown_brightness_ev for tone in tones])
    if _is_trend(times, levels, _TREND_EV):
        return f"The picture grows {'brighter' if levels[-1] > levels[0] else 'darker'} over the clip."
    temperatures = [tone.color_temperature_k for tone in tones if tone.color_temperature_k is not None]
    if len(temperatures) == len(tones):
        mireds = np.array([mired(kelvin) for kelvin in temperatures])
        if _is_trend(times, mireds, _TREND_MIRED):
            return f"Its tones turn {'warmer' if mireds[-1] > mireds[0] else 'cooler'} over the clip."
    return ""


def _is_trend(times: Array, values: Array, least: float) -> bool:
    if np.ptp(values) < least or np.ptp(times) <= 0.0:
        return False
    correlation = float(np.corrcoef(times, values)[0, 1])
    return abs(correlation) >= _STEADY_CORRELATION and abs(values[-1] - values[0]) >= 0.7 * least
