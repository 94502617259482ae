"""Motions for image-to-video: camera moves and moves of the light, as structure and as words."""

import math
from collections.abc import Callable

from lumenmill.common.v1 import camera_pb2, light_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light import build
from lumenmill_light.axes import wrap_deg
from lumenmill_light.color import temperature_rgb
from lumenmill_light.english import capitalised
from lumenmill_light.sources import scaled
from lumenmill_light.vocabulary import TEMPERATURE_K, direction_phrase
from lumenmill_prompter.families.grammar.light_space import AREA, DIRECTIONAL, ENVIRONMENT_MAP, SUN_SKY
from lumenmill_prompter.families.grammar.lights import finish_light
from lumenmill_prompter.families.grammar.numbers import Choice
from lumenmill_prompter.families.grammar.surroundings import Surroundings

__all__ = ["camera_motion", "light_motion"]

# A sun that must stay higher than this to reach the subject does not sink to the horizon.
_MAX_SINKING_DEG = 10.0
_STILL_LIGHT = ("the light does not change", "the light stays as it is", "the light holds still")
_STILL_CAMERA = ("the camera stands still", "the camera does not move", "the frame stays fixed")


def camera_motion(about: str, choice: Choice, outdoor: bool) -> prompter_pb2.MotionPrompt:
    """Return a camera move about a thing ("the copper kettle") under unchanged light."""
    moves = (_orbit, _orbit, _dolly, _dolly, _pan, _tilt) if outdoor else (_orbit, _orbit, _dolly, _dolly, _pan)
    path, words = choice.pick(moves)(about, choice)
    text = choice.pick(("{move}; {still}.", "{move}, while {still}.", "{move}. All the while {still}."))
    return prompter_pb2.MotionPrompt(
        text=capitalised(text.format(move=words, still=choice.pick(_STILL_LIGHT))),
        camera=camera_pb2.Camera(path=path),
    )


def _orbit(about: str, choice: Choice) -> tuple[camera_pb2.CameraPath, str]:
    sweep = float(choice.pick((20, 25, 30, 35, 40, 45, 50, 60)) * choice.pick((-1, 1)))
    side = "right" if sweep > 0 else "left"
    words = choice.pick(
        (
            "the camera orbits {deg} degrees to the {side} around {about}",
            "the camera circles {about} by {deg} degrees to the {side}",
            "a smooth {deg}-degree orbit to the {side} around {about}",
        )
    ).format(deg=round(abs(sweep)), side=side, about=about)
    return camera_pb2.CameraPath(orbit=camera_pb2.OrbitMove(sweep_deg=sweep)), words


def _dolly(about: str, choice: Choice) -> tuple[camera_pb2.CameraPath, str]:
    ratio = choice.pick((0.6, 0.7, 0.8, 1.25, 1.4))
    patterns = (
        (
            "the camera moves in slowly on {about}",
            "a slow dolly in towards {about}",
            "the camera glides closer to {about}",
        )
        if ratio < 1.0
        else (
            "the camera draws back slowly from {about}",
            "a slow dolly out from {about}",
            "the camera backs away from {about}",
        )
    )
    words = choice.pick(patterns).format(about=about)
    return camera_pb2.CameraPath(dolly=camera_pb2.DollyMove(end_distance_ratio=ratio)), words


def _pan(_: str, choice: Choice) -> tuple[camera_pb2.CameraPath, str]:
    sweep = float(choice.pick((-14, -10, -8, 8, 10, 14)))
    side = "right" if sweep > 0 else "left"
    words = choice.pick(("the camera pans gently to the {side}", "a gentle pan to the {side} by {deg} degrees"))
    return camera_pb2.CameraPath(pan=camera_pb2.PanMove(sweep_deg=sweep)), words.format(side=side, deg=abs(int(sweep)))


def _tilt(_: str, choice: Choice) -> tuple[camera_pb2.CameraPath, str]:
    sweep = float(choice.pick((-8, -6, 6, 8, 10)))
    side = "up" if sweep > 0 else "down"
    words = choice.pick(("the camera tilts slightly {side}", "a slight tilt {side}wards"))
    return camera_pb2.CameraPath(tilt=camera_pb2.TiltMove(sweep_deg=sweep)), words.format(side=side)


def light_motion(start: light_pb2.Light, choice: Choice, around: Surroundings) -> prompter_pb2.MotionPrompt | None:
    """Return a move of the light that starts from `start`, before a still camera; None when it has no sources."""
    if not start.sources:
        return None
    moves = _MOVES.get(start.attributes.kinds[0] if start.attributes.kinds else 0, (_cross_fade,))
    path, words = choice.pick(moves)(start, choice, around)
    text = choice.pick(("{still} while {move}.", "{move}; {still}.", "{move}, and {still}."))
    return prompter_pb2.MotionPrompt(
        text=capitalised(text.format(move=words, still=choice.pick(_STILL_CAMERA))), light_path=path
    )


_Move = Callable[[light_pb2.Light, Choice, Surroundings], tuple[light_pb2.LightPath, str]]


def _path(
    start: light_pb2.Light, end: light_pb2.Light, interpolation: "light_pb2.LightInterpolation.ValueType", outdoor: bool
) -> light_pb2.LightPath:
    finish_light(end, 0, outdoor)
    return light_pb2.LightPath(
        keyframes=[
            light_pb2.LightKeyframe(time_fraction=0.0, light=start),
            light_pb2.LightKeyframe(time_fraction=1.0, light=end),
        ],
        interpolation=interpolation,
    )


def _copy(start: light_pb2.Light) -> light_pb2.Light:
    end = light_pb2.Light()
    end.sources.extend(start.sources)
    return end


def _emitter_of(source: light_pb2.LightSource) -> light_pb2.AreaLight | light_pb2.DirectionalLight:
    return source.area if source.WhichOneof("kind") == "area" else source.directional


def _sweep(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    """Move the key across the front, or round the nearer side when it stands behind, as far as walls allow."""
    end = _copy(start)
    key = _emitter_of(end.sources[0])
    begin = wrap_deg(key.azimuth_deg)
    span = choice.uniform(70.0, 110.0)
    azimuth = begin - span if begin > 0.0 else begin + span
    if end.sources[0].HasField("directional") or not around.lamps_behind:
        azimuth = around.turned_in(azimuth, key.elevation_deg)
        key.elevation_deg = round(max(key.elevation_deg, around.lowest_at(azimuth)), 1)
    key.azimuth_deg = round(azimuth, 1)
    frm = direction_phrase(begin, 25.0).removeprefix("from ")
    to = direction_phrase(key.azimuth_deg, 25.0).removeprefix("from ")
    words = choice.pick(
        (
            "the key light sweeps from {frm} to {to}",
            "the light travels from {frm} to {to}, and the shadows swing round with it",
            "the key light wanders from {frm} to {to}",
        )
    ).format(frm=_place(frm), to=_place(to))
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_MOVE, around.outdoor), words


def _place(side: str) -> str:
    return "behind the subject" if side == "behind" else side


def _dimming(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    end = _copy(start)
    brighten = start.attributes.intensity_ev < -0.8
    factor = 4.0 if brighten else choice.pick((0.12, 0.2, 0.3))
    sources = [scaled(source, factor) for source in end.sources]
    del end.sources[:]
    end.sources.extend(sources)
    words = (
        choice.pick(("the light slowly grows brighter", "the light swells gently"))
        if brighten
        else choice.pick(("the light dims steadily", "the light fades down to a glimmer", "the light slowly goes down"))
    )
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_MOVE, around.outdoor), words


def _color_change(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    """Cross-fade the radiance between two colours of the same light."""
    end = _copy(start)
    key = _emitter_of(end.sources[0])
    was_warm = start.attributes.HasField("color_temperature_k") and start.attributes.color_temperature_k < 5000.0
    target = choice.pick((8500.0, 11000.0)) if was_warm else choice.pick((2200.0, 2700.0))
    key.color.CopyFrom(build.kelvin(target))
    hue = TEMPERATURE_K.word(target, choice.bits() % 3)
    words = choice.pick(
        ("the light turns {hue}", "the colour of the light drifts to {hue}", "the light fades over to {hue}")
    )
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_BLEND, around.outdoor), words.format(hue=hue)


def _sun_move(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    end = _copy(start)
    sun = end.sources[0].sun_sky
    lowest = around.lowest_at(wrap_deg(sun.sun_azimuth_deg))
    if lowest > _MAX_SINKING_DEG:
        return _sun_travel(start, choice, around)  # sinking, it would go behind the wall
    if sun.sun_elevation_deg < 14.0:
        sun.sun_elevation_deg = round(sun.sun_elevation_deg + choice.uniform(18.0, 30.0), 1)
        words = choice.pick(("the sun rises and its light grows whiter", "the sun climbs and the shadows shorten"))
    else:
        sun.sun_elevation_deg = round(max(lowest, 4.0) + choice.uniform(0.0, 3.0), 1)
        words = choice.pick(
            (
                "the sun sinks towards the horizon and its light turns golden",
                "the sun goes down and the shadows grow long",
            )
        )
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_MOVE, around.outdoor), words


def _sun_travel(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    end = _copy(start)
    sun = end.sources[0].sun_sky
    turn = choice.uniform(60.0, 110.0) * choice.pick((-1.0, 1.0))
    if not around.outdoor:
        turn = math.copysign(turn, -sun.sun_azimuth_deg)  # past the camera's side, not behind the wall
    sun.sun_azimuth_deg = round(around.turned_in(sun.sun_azimuth_deg + turn, sun.sun_elevation_deg), 1)
    sun.sun_elevation_deg = round(max(sun.sun_elevation_deg, around.lowest_at(sun.sun_azimuth_deg)), 1)
    to = direction_phrase(sun.sun_azimuth_deg, 25.0).removeprefix("from ")
    words = choice.pick(
        ("hours pass in seconds: the sun moves to {to}", "in time-lapse the sun travels round to {to}")
    ).format(to=_place(to))
    if abs(sun.sun_azimuth_deg - start.sources[0].sun_sky.sun_azimuth_deg) > 180.0:
        # MOVE interpolates the number itself, so the end is written on the near side of ±180°.
        sun.sun_azimuth_deg += 360.0 if sun.sun_azimuth_deg < 0.0 else -360.0
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_MOVE, around.outdoor), words


def _map_turn(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    end = _copy(start)
    turn = float(choice.pick((90, 120, 150)))
    environment = end.sources[0].environment_map
    environment.rotation_deg += turn if environment.rotation_deg < 0.0 else -turn
    rising = environment.rotation_deg > start.sources[0].environment_map.rotation_deg
    sense = "counterclockwise" if rising else "clockwise"
    words = choice.pick(
        (
            "the surroundings turn by {deg} degrees {sense}, carrying the light with them",
            "the surrounding light rotates {deg} degrees {sense} seen from above",
        )
    ).format(deg=round(turn), sense=sense)
    return _path(start, end, light_pb2.LIGHT_INTERPOLATION_MOVE, around.outdoor), words


def _cross_fade(start: light_pb2.Light, choice: Choice, around: Surroundings) -> tuple[light_pb2.LightPath, str]:
    """Cross-fade from any light to a warm or cool soft light of another side."""
    azimuth = start.attributes.azimuth_deg if start.attributes.HasField("azimuth_deg") else 0.0
    opposite = wrap_deg(-azimuth if abs(azimuth) > 20.0 else azimuth + choice.pick((-90.0, 90.0)))
    opposite = around.turned_in(opposite, 25.0)
    was_warm = start.attributes.HasField("color_temperature_k") and start.attributes.color_temperature_k < 5000.0
    color = temperature_rgb(9500.0 if was_warm else 2700.0).tolist()
    end = light_pb2.Light(sources=[build.spherical_harmonics_light(round(opposite, 1), 25.0, 0.9, 1.6, color)])
    path = _path(start, end, light_pb2.LIGHT_INTERPOLATION_BLEND, around.outdoor)
    words = choice.pick(("the light cross-fades to {end}", "the light melts over into {end}"))
    return path, words.format(end=end.text)


_EMITTER_MOVES: tuple[_Move, ...] = (_sweep, _sweep, _dimming, _color_change)
_MOVES: dict[int, tuple[_Move, ...]] = {
    AREA: _EMITTER_MOVES,
    DIRECTIONAL: _EMITTER_MOVES,
    SUN_SKY: (_sun_move, _sun_travel),
    ENVIRONMENT_MAP: (_map_turn,),
}
