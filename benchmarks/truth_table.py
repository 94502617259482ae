"""What the captions, instructions and measurements of pictures are worth, against the light that arrived."""

import math
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from figures import Figure
from truth_pictures import Change, Picture, Pictures

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.words.shown import Shown, shows_side
from lumenmill_light.axes import angle_between_deg, circular_difference_deg
from lumenmill_light.color import luminance
from lumenmill_light.contradictions import contradictions
from lumenmill_light.difference import difference, direction_difference_deg
from lumenmill_light.reading import LightClaim, read_light
from lumenmill_light.visible_lights import visible_lights
from lumenmill_media import srgb_to_linear
from lumenmill_studio.scenes.vocabulary import SUBJECTS

__all__ = ["confidences_of", "content_contradictions", "figures_of", "problems_of_change", "problems_of_picture"]

_NOUNS = frozenset(name for names in SUBJECTS.values() for name in names)
# What remains after an instruction is followed; more is a wrong instruction.
_LEFT_DIRECTION_DEG, _LEFT_HARDNESS, _LEFT_COLOR_MIRED, _LEFT_INTENSITY_EV = 30.0, 0.3, 60.0, 1.0
# A change that anybody sees: an instruction must not be empty then.
_SEEN_DIRECTION_DEG, _SEEN_COLOR_MIRED, _SEEN_INTENSITY_EV = 20.0, 40.0, 0.7
_RIGHT_DIRECTION_DEG, _RIGHT_TEMPERATURE_K = 15.0, 300.0
_FRONT_ELEVATION_DEG = 30.0


def figures_of(made: Pictures) -> list[Figure]:
    """Return the figures of a run, baselines among them."""
    rendered = [picture for picture in made.pictures if not picture.refusal]
    figures: list[Figure] = []
    for origin, most in (("hand-made", 1.0), ("prompter", 0.0)):
        own = [picture for picture in rendered if picture.origin == origin]
        wrong = sum(bool(problems_of_picture(picture)) for picture in own)
        figures.append(
            Figure(
                f"captions that contradict the picture, {origin} light", _percent(wrong, len(own)), "%", at_most=most
            )
        )
        figures.append(Figure(f"pictures, {origin} light", len(own), "pictures"))
    wrong = sum(bool(problems_of_change(change)) for change in made.changes)
    figures.append(
        Figure(
            "instructions that are wrong or omit the main change", _percent(wrong, len(made.changes)), "%", at_most=0.0
        )
    )
    figures.append(Figure("instructions", len(made.changes), "instructions"))
    refused = len(made.pictures) - len(rendered)
    figures.append(
        Figure("lights that were refused since their key cannot arrive", _percent(refused, len(made.pictures)), "%")
    )
    figures += _directions(rendered)
    figures += _temperatures(rendered)
    figures += _hardness(rendered)
    return figures


def problems_of_picture(picture: Picture) -> list[str]:
    """Return what a caption says that the picture does not show, light and content, one sentence each."""
    return [*contradictions(picture.caption.text, picture.arrived), *content_contradictions(picture)]


def confidences_of(made: Pictures, name: str) -> list[tuple[float, bool]]:
    """Return confidence and rightness of all measured directions (`azimuth_deg`) or temperatures that are claimed."""
    found = []
    for picture in made.pictures:
        measured, arrived = picture.caption.measurement, picture.arrived.attributes
        if measured.attributes.HasField(name) and arrived.HasField(name):  # type: ignore[arg-type]
            right = (
                _angle(measured.attributes, picture) <= _RIGHT_DIRECTION_DEG
                if name == "azimuth_deg"
                else abs(measured.attributes.color_temperature_k - arrived.color_temperature_k) <= _RIGHT_TEMPERATURE_K
            )
            found.append((measured.confidences[name], right))
    return found


def content_contradictions(picture: Picture) -> list[str]:
    """Return the things that a caption names and that cannot be seen."""
    content = picture.caption.text.removesuffix(picture.caption.light_text).lower().replace(picture.place, "")
    named = {noun for noun in _NOUNS if re.search(rf"\b{re.escape(noun)}(?:s|es)?\b", content)}
    # "stack of books" contains "book": longer names win.
    named = {noun for noun in named if not any(noun != other and noun in other for other in named)}
    return [f"names {noun!r}, of which nothing is seen" for noun in sorted(named - set(picture.seen))]


def problems_of_change(change: Change) -> list[str]:
    """Return why an instruction is wrong: what is left after it is followed, or a visible change that it omits."""
    real = difference(change.after.attributes, change.before.attributes)
    if not change.result.instruction:
        if not (_shows_side(change.before, change.result.before) and _shows_side(change.after, change.result.after)):
            real.ClearField("direction_deg")
        return [f"says nothing of a change of {name}" for name in _visible(real)]
    left = change.result.instruction_error
    limits = {
        "direction_deg": _LEFT_DIRECTION_DEG,
        "hardness": _LEFT_HARDNESS,
        "color_temperature_mired": _LEFT_COLOR_MIRED,
        "intensity_ev": _LEFT_INTENSITY_EV,
    }
    beyond = [
        f"leaves {abs(getattr(left, name)):.3g} of {name}"
        for name, most in limits.items()
        if left.HasField(name) and abs(getattr(left, name)) > most
    ]
    return [*beyond, *change.result.instruction_problems]


def _shows_side(arrived: light_pb2.ArrivedLight, measured: captioner_pb2.LightMeasurement) -> bool:
    """Whether a picture shows the side of its main light: light from all around has one only where it is measured."""
    lights, found = visible_lights(arrived), measured.attributes
    is_measured = found.HasField("azimuth_deg") and found.HasField("elevation_deg")
    shown = Shown(azimuth_deg=found.azimuth_deg, elevation_deg=found.elevation_deg) if is_measured else Shown()
    return bool(lights) and shows_side(lights[0], shown)


def _visible(real: object) -> list[str]:
    limits = {
        "direction_deg": _SEEN_DIRECTION_DEG,
        "color_temperature_mired": _SEEN_COLOR_MIRED,
        "intensity_ev": _SEEN_INTENSITY_EV,
    }
    return [name for name, most in limits.items() if real.HasField(name) and abs(getattr(real, name)) > most]  # type: ignore[attr-defined]


def _captioned_directions(known: Sequence[Picture]) -> list[Figure]:
    """Sides and heights that captions name for the first light, against what arrived."""
    claims = [(read_light(picture.caption.light_text).lights[:1], picture) for picture in known]
    named = [(lights[0], picture) for lights, picture in claims if lights and lights[0].azimuths_deg]
    errors = [_outside_deg(claim, picture) for claim, picture in named]
    part = _within(errors, _RIGHT_DIRECTION_DEG)
    return [
        Figure("direction as captioned within 15° of what arrived, of what is claimed", part, "%", at_least=95),
        Figure("direction captioned", _percent(len(named), len(known)), "%", at_least=80),
    ]


def _outside_deg(claim: LightClaim, picture: Picture) -> float:
    """Return how far the azimuth of what arrived is outside of the arcs of the claim, less from overhead."""
    arrived = picture.arrived.attributes
    outside = min(
        circular_difference_deg(arrived.azimuth_deg, arc.center_deg) - arc.half_width_deg for arc in claim.azimuths_deg
    )
    return max(outside, 0.0) * math.cos(math.radians(arrived.elevation_deg))


def _directions(rendered: Sequence[Picture]) -> list[Figure]:
    """Captioned and measured against arrived direction, by kind of light; requested against arrived; two baselines."""
    known = [picture for picture in rendered if picture.arrived.attributes.HasField("azimuth_deg")]
    claimed = [picture for picture in known if picture.caption.measurement.attributes.HasField("azimuth_deg")]
    errors = [_angle(picture.caption.measurement.attributes, picture) for picture in claimed]
    figures = [
        *_captioned_directions(known),
        Figure(
            "direction as measured within 15° of what arrived, of what is claimed",
            _within(errors, _RIGHT_DIRECTION_DEG),
            "%",
            at_least=95,
        ),
        Figure("direction claimed", _percent(len(claimed), len(known)), "%", at_least=80),
        Figure("direction, median error", _median(errors), "°"),
    ]
    for kind in sorted({picture.light_kind for picture in known}):
        own = [picture for picture in claimed if picture.light_kind == kind]
        if own:
            part = _within(
                [_angle(picture.caption.measurement.attributes, picture) for picture in own], _RIGHT_DIRECTION_DEG
            )
            figures.append(Figure(f"direction within 15°, {kind} ({len(own)} claimed)", part, "%"))
    rooms = [picture for picture in claimed if picture.scene_kind == "room"]
    figures.append(
        Figure(
            f"direction within 15°, rooms ({len(rooms)} claimed)",
            _within([_angle(p.caption.measurement.attributes, p) for p in rooms], _RIGHT_DIRECTION_DEG),
            "%",
        )
    )
    asked = [
        _angle(picture.caption.requested_attributes, picture)
        for picture in known
        if picture.caption.requested_attributes.HasField("azimuth_deg")
    ]
    front = [
        angle_between_deg(
            0.0, _FRONT_ELEVATION_DEG, p.arrived.attributes.azimuth_deg, p.arrived.attributes.elevation_deg
        )
        for p in known
    ]
    centroid = [_angle_of(_centroid_direction(picture), picture) for picture in known]
    return [
        *figures,
        Figure("requested direction within 15° of what arrived", _within(asked, _RIGHT_DIRECTION_DEG), "%"),
        Figure("baseline, always from the front: within 15°", _within(front, _RIGHT_DIRECTION_DEG), "%"),
        Figure("baseline, centroid of brightness: within 15°", _within(centroid, _RIGHT_DIRECTION_DEG), "%"),
    ]


def _temperatures(rendered: Sequence[Picture]) -> list[Figure]:
    known = [picture for picture in rendered if picture.arrived.attributes.HasField("color_temperature_k")]
    figures = []
    ways: tuple[tuple[str, Callable[[Picture], light_pb2.LightAttributes], float, float], ...] = (
        ("with maps", lambda picture: picture.caption.measurement.attributes, 95, 80),
        ("picture alone", lambda picture: picture.alone.measurement.attributes, 60, 40),
    )
    for name, measured, right, share in ways:
        claimed = [picture for picture in known if measured(picture).HasField("color_temperature_k")]
        errors = [abs(measured(p).color_temperature_k - p.arrived.attributes.color_temperature_k) for p in claimed]
        figures.append(
            Figure(
                f"temperature within 300 K, {name}, of what is claimed",
                _within(errors, _RIGHT_TEMPERATURE_K),
                "%",
                at_least=right,
            )
        )
        figures.append(Figure(f"temperature claimed, {name}", _percent(len(claimed), len(known)), "%", at_least=share))
    white = [abs(6504.0 - picture.arrived.attributes.color_temperature_k) for picture in known]
    figures.append(Figure("baseline, always 6504 K: within 300 K", _within(white, _RIGHT_TEMPERATURE_K), "%"))
    return figures


def _hardness(rendered: Sequence[Picture]) -> list[Figure]:
    pairs = [
        (picture.caption.measurement.attributes.hardness, picture.arrived.attributes.hardness)
        for picture in rendered
        if picture.caption.measurement.attributes.HasField("hardness")
        and picture.arrived.attributes.HasField("hardness")
    ]
    correlation = float(np.corrcoef(np.array(pairs).T)[0, 1]) if len(pairs) > 2 else math.nan
    known = sum(picture.arrived.attributes.HasField("hardness") for picture in rendered)
    return [
        Figure("hardness, correlation with what arrived", correlation, "r", at_least=0.9),
        Figure("hardness claimed", _percent(len(pairs), known), "%"),
    ]


def _angle(attributes: light_pb2.LightAttributes, picture: Picture) -> float:
    found = direction_difference_deg(attributes, picture.arrived.attributes)
    return 180.0 if found is None else found


def _angle_of(direction_deg: tuple[float, float], picture: Picture) -> float:
    arrived = picture.arrived.attributes
    return angle_between_deg(*direction_deg, arrived.azimuth_deg, arrived.elevation_deg)


def _centroid_direction(picture: Picture) -> tuple[float, float]:
    """Return the direction that the centroid of the picture's brightness suggests: half a turn across its width."""
    level = luminance(srgb_to_linear(picture.shown.astype(np.float32) / 255.0))
    height, width = level.shape
    total = max(float(level.sum()), 1e-9)
    x = float((level.sum(axis=0) * np.linspace(-1, 1, width)).sum()) / total
    y = float((level.sum(axis=1) * np.linspace(1, -1, height)).sum()) / total
    return 90.0 * float(np.clip(3 * x, -1, 1)), float(np.clip(_FRONT_ELEVATION_DEG + 90.0 * y, -90, 90))


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else math.nan


def _within(errors: Iterable[float], most: float) -> float:
    values = list(errors)
    return _percent(sum(value <= most for value in values), len(values))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan
