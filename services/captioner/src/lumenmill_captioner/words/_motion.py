"""How light and picture move in a clip."""

import math
from dataclasses import dataclass, replace

import numpy as np
from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import camera_pb2, light_pb2

from lumenmill_captioner.known import ExpectedLight
from lumenmill_captioner.measure import ClipMotion, Swing

from ._change import Side, changes_between
from ._vocabulary import Words, capitalised, side_name

# A measured trend is told when it is steady and large enough to be seen.
_STEADY_CORRELATION = 0.85
_TREND_EV = 0.5
_TREND_MIRED = 25.0
# What moves is told when it is clear; between the bounds nothing is said. Light is harder to tell where things move.
# What moves by fast leaves a rest that looks like some flicker.
_FLICKER_EV, _FLICKER_MEANWHILE_EV = 0.1, 0.2
_STRUCTURE_MOVES, _STRUCTURE_STAYS = 0.15, 0.05
_LIGHT_CHANGES_EV, _LIGHT_STAYS_EV = 0.4, 0.12
_LIGHT_CHANGES_TOO_EV, _LIGHT_STAYS_MEANWHILE_EV = 1.5, 0.3


# Angles from which a move of the key light is told: known ones, and measured ones, which scatter.
_KNOWN_SWING_DEG, _MEASURED_SWING_DEG, _RISE_DEG = 15.0, 35.0, 12.0
# Light that is measured to stay within this stays.
_STAYS_DEG = 20.0
_OVERHEAD_DEG = 72.0
_LONG_WAY_DEG = 100.0


@dataclass(frozen=True)
class KeyMotion:
    """How the key light moves: before the camera, and in the scene relative to the first frame's camera.

    in_scene is None where the camera moves in ways that are not known. Either is None where nothing steady is found.
    """

    seen: Swing | None
    in_scene: Swing | None
    is_known: bool

    @property
    def told_swing(self) -> Swing | None:
        """The move of the light in the scene where it is large enough to be told."""
        least = _KNOWN_SWING_DEG if self.is_known else _MEASURED_SWING_DEG
        return self.in_scene if self.in_scene and self.in_scene.extent_deg >= least else None


@dataclass(frozen=True)
class ToldMotion:
    """What is known of a clip.

    light_is_known: whether its light is known at all, still or moving. path: the light at the first and last moment,
    where it is known to move. interpolation: LightInterpolation of the path. key: how the key light moves.
    """

    camera: camera_pb2.Camera | None
    light_is_known: bool
    path: tuple[ExpectedLight, ExpectedLight] | None
    interpolation: int
    key: KeyMotion | None


def motion_text(samples: list[captioner_pb2.LightSample], measured: ClipMotion, told: ToldMotion, words: Words) -> str:
    """Return sentences on camera and light moves; empty when neither is known nor measured.

    Args:
        samples: measurements over the clip.
        measured: what moves in the clip, by measurement.
        told: what is known, and how the key light moves.
        words: the choice of words.
    """
    camera = told.camera
    sentences = [_camera_sentence(camera)] if camera and camera.HasField("path") else []
    swing = told.key.told_swing if told.key else None
    if told.path:
        sentences.append(_path_sentence(*told.path, told.interpolation, swing, words))
    else:
        sentences += [_swing_sentence("The key light", swing, words) if swing else "", _trend_sentence(samples)]
    if told.key and not swing:
        sentences.append(_passing_sentence(told.key, words))
    path_is_told = bool(camera and camera.path.WhichOneof("move"))
    light_told = told.path is not None or swing is not None
    steady = replace(measured, flicker_ev=None) if told.light_is_known else measured
    sentences.append(_measured_sentence(steady, words, told=path_is_told, light_told=light_told))
    return " ".join(sentence for sentence in sentences if sentence)


def _swing_sentence(what: str, swing: Swing, words: Words) -> str:
    """ "The key light swings from the left to the right, across the front, and rises." """
    rise = "rises" if swing.rise_deg > 0.0 else "sinks"
    vertical = abs(swing.rise_deg) >= _RISE_DEG
    start, end = _azimuth_and_elevation(swing.start), _azimuth_and_elevation(swing.end)
    if max(start[1], end[1]) >= _OVERHEAD_DEG:
        return f"{what} moves from {words.direction(*start)} to {words.direction(*end)}."
    if round(start[0] / 45.0) % 8 != round(end[0] / 45.0) % 8:
        way = _way(swing)
        also = f"{',' if way else ''} and {rise}" if vertical else ""
        return f"{what} swings from {side_name(start[0])} to {side_name(end[0])}{way}{also}."
    if vertical:
        return f"{what} {rise} and keeps coming from {side_name(end[0])}."
    return f"{what} turns a little to the {'right' if swing.turn_deg > 0.0 else 'left'}."


def _way(swing: Swing) -> str:
    facing = math.cos(math.radians(swing.middle_azimuth_deg))
    if abs(swing.turn_deg) < _LONG_WAY_DEG or abs(facing) < 0.5:
        return ""
    return ", across the front" if facing > 0.0 else ", round the back"


def _passing_sentence(key: KeyMotion, words: Words) -> str:
    """How light that stays passes before a moving camera, or how light moves before one whose move is not known."""
    least = _KNOWN_SWING_DEG if key.is_known else _MEASURED_SWING_DEG
    if key.seen is None or key.seen.extent_deg < least:
        return ""
    if key.in_scene is None:
        return _swing_sentence("Seen from the camera, the key light", key.seen, words)
    start, end = _azimuth_and_elevation(key.seen.start), _azimuth_and_elevation(key.seen.end)
    if key.in_scene.extent_deg >= _STAYS_DEG or round(start[0] / 45.0) % 8 == round(end[0] / 45.0) % 8:
        return ""
    return (
        f"The light stays where it is; seen from the moving camera it passes from {side_name(start[0])} "
        f"to {side_name(end[0])}."
    )


def _azimuth_and_elevation(vector: "np.typing.NDArray[np.float64]") -> tuple[float, float]:
    return math.degrees(math.atan2(vector[0], vector[2])), math.degrees(math.asin(float(np.clip(vector[1], -1, 1))))


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
    light, structure = measured.light_motion_ev, measured.structure_motion_fraction
    least = _FLICKER_MEANWHILE_EV if (structure or 0.0) >= _STRUCTURE_MOVES else _FLICKER_EV
    flickers = measured.flicker_ev is not None and measured.flicker_ev >= least
    flicker = words.pick(("The light flickers.", "The light is unsteady and flickers.")) if flickers else ""
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
        mireds = np.array([1e6 / sample.attributes.color_temperature_k for sample in samples])
        if _is_trend(times, mireds, _TREND_MIRED):
            return f"Its tones turn {'warmer' if mireds[-1] > mireds[0] else 'cooler'} over the clip."
    return ""


def _is_trend(times: "np.typing.NDArray[np.float64]", values: "np.typing.NDArray[np.float64]", least: float) -> bool:
    if np.ptp(values) < least or np.ptp(times) <= 0.0:
        return False
    correlation = float(np.corrcoef(times, values)[0, 1])
    return abs(correlation) >= _STEADY_CORRELATION and abs(values[-1] - values[0]) >= 0.7 * least
