"""What changed in the light between two images, from what arrived where it is known, else from what was measured."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.measure import Evidence, Measured
from lumenmill_captioner.words import (
    INTENSITY_EV,
    UNCHANGED,
    Change,
    Lighting,
    Words,
    are_comparable,
    arrived_lighting,
    as_shown,
    changes_between,
    measured_lighting,
    shown_by,
    without_intensity,
)
from lumenmill_light.difference import difference
from lumenmill_light.instruction_problems import instruction_problems
from lumenmill_light.instructions import instructed_light

__all__ = ["compared"]

_Name = Literal["azimuth_deg", "elevation_deg", "hardness", "contrast_ev", "color_temperature_k", "intensity_ev"]
_MEASURED: tuple[_Name, ...] = get_args(_Name)
# Methods that measure the tones of a picture, which depend on its content and exposure.
_OF_TONES = ("luminance-", "log-average-luminance")

# Pictures whose 8-bit values differ by less than this in the mean are the same picture.
_SAME_PICTURE = 1.0 / 255.0


def compared(
    subjects: Sequence[captioner_pb2.Subject], evidence: Sequence[Evidence], measured: Sequence[Measured], words: Words
) -> captioner_pb2.CompareLightResult:
    """Return the change between two subjects, without a record.

    Args:
        subjects: before and after, and so the others.
        evidence: the pictures.
        measured: their measurements.
        words: the choice of words.
    """
    arrived = all(subject.HasField("arrived_light") for subject in subjects)
    sides = [_arrived(*pair) for pair in zip(subjects, measured, strict=True)] if arrived else _comparable(measured)
    is_hidden = arrived and not _is_brightness_seen(subjects, sides)
    if is_hidden:
        sides = [without_intensity(side) for side in sides]
    change = changes_between(sides[0], sides[1], words)
    is_known = are_comparable(*sides) and not is_hidden if arrived else _are_same(*evidence)
    if not change.attributes and is_known:
        change = UNCHANGED
    result = captioner_pb2.CompareLightResult(
        instruction=change.instruction,
        text=change.text,
        before=measured[0].proto,
        after=measured[1].proto,
        changed_attributes=change.attributes,
    )
    if change.instruction:
        _fill_error(result, sides, change)
    return result


def _arrived(subject: captioner_pb2.Subject, measured: Measured) -> Lighting:
    return as_shown(arrived_lighting(subject.arrived_light), shown_by(measured))


def _fill_error(result: captioner_pb2.CompareLightResult, sides: Sequence[Lighting], change: Change) -> None:
    """Read the instruction back, apply it to the light before, and compare the result with the light after."""
    before, after = (side.total() for side in sides)
    instructed = instructed_light(change.instruction, before, sides[0].lights[0].hue if sides[0].lights else "")
    error = difference(instructed.attributes, after)
    if error.ListFields():
        result.instruction_error.CopyFrom(error)
    first, second = sides
    result.instruction_problems.extend(
        instruction_problems(
            change.instruction,
            (before, after),
            first.lights,
            second.lights,
            (first.faint, second.faint),
            all_is_known=first.all_is_known and second.all_is_known,
        )
    )


def _comparable(measured: Sequence[Measured]) -> list[Lighting]:
    """Return both sides with the attributes that were measured by the same method on both."""
    first, second = (entry.proto for entry in measured)
    sides = []
    for entry in (first, second):
        attributes = light_pb2.LightAttributes()
        for name in _MEASURED:
            is_known = first.attributes.HasField(name) and second.attributes.HasField(name)
            method = first.methods.get(name, "")
            if is_known and method == second.methods.get(name, "") and not method.startswith(_OF_TONES):
                setattr(attributes, name, getattr(entry.attributes, name))
        sides.append(measured_lighting(attributes))
    return sides


def _is_brightness_seen(subjects: Sequence[captioner_pb2.Subject], sides: Sequence[Lighting]) -> bool:
    """Whether the pictures, as they are exposed, show how the intensity of the light changed."""
    first, second = (subject.media.image for subject in subjects)
    before_ev, after_ev = (side.intensity_ev for side in sides)
    if before_ev is None or after_ev is None or not first.HasField("exposure_ev") or not second.HasField("exposure_ev"):
        return True
    change = after_ev - before_ev
    shown = change + second.exposure_ev - first.exposure_ev
    return abs(shown) >= INTENSITY_EV and (shown > 0.0) == (change > 0.0)


def _are_same(first: Evidence, second: Evidence) -> bool:
    if first.display.shape != second.display.shape:
        return False
    return float(np.abs(first.display - second.display).mean()) < _SAME_PICTURE
