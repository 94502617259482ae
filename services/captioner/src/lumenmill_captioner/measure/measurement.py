"""From a picture, and the maps that travel with it, to a LightMeasurement.

| field                  | with normals and albedo (or shading)             | picture alone |
| ---------------------- | ------------------------------------------------ | ------------- |
| azimuth, elevation     | `shadowed-lambert-search` with depth, else `lambert-key-soft-l1` | absent |
| hardness, with depth   | `penumbra-width`, else `cast-shadows-missing`    | absent        |
| hardness, without      | `terminator-fit`, when curved surfaces show it   | absent        |
| contrast               | `lit-shaded-mean`, else `shading-percentiles-5-95` | absent      |
| colour temperature     | `shading-growth-and-bright+robertson-1968`       | `agreeing-estimates+robertson-1968` |
| intensity              | `fitted-irradiance`, where the picture is linear | absent        |
| spherical harmonics    | `normals-sh-least-squares`                       | absent        |
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill_captioner.measure.confidence import MIN_DIRECTION_CONFIDENCE, MIN_TEMPERATURE_CONFIDENCE
from lumenmill_captioner.measure.direction import Key, measured_key, relief_in
from lumenmill_captioner.measure.dominant_colors import Monochrome, dominant_colors, monochrome
from lumenmill_captioner.measure.evidence import Evidence, Surface, surface_luminance, surface_of
from lumenmill_captioner.measure.hardness import measured_hardness
from lumenmill_captioner.measure.key_fit import gather, lit_and_shaded_ev
from lumenmill_captioner.measure.penumbra import CastShadows, cast_shadows
from lumenmill_captioner.measure.picture_color import picture_color
from lumenmill_captioner.measure.radiance_fit import fit_radiance
from lumenmill_captioner.measure.relief import Relief
from lumenmill_captioner.measure.shading_color import ShadingColor, color_samples, shading_color
from lumenmill_captioner.measure.tone import (
    brightness_ev,
    colorfulness,
    percentile_contrast_ev,
    sharpness,
)
from lumenmill_light.axes import angles_of
from lumenmill_light.color import luminance
from lumenmill_media import srgb_to_linear

__all__ = ["Measured", "measure"]

Array = NDArray[np.float32]

_MIN_INTENSITY = 2.0**-31


@dataclass(frozen=True)
class Measured:
    """A measurement, its scores, and the values that texts and comparisons need.

    Attributes:
        surface: the lit surfaces, None for a picture alone.
        key: the key light, None where shading shows none.
        shown_brightness_ev: log-average luminance as shown, in stops from mid grey, of what has a surface where normals
            or depth are known, so that a night sky is no dark picture.
        shading_contrast_ev: stops between the 95th and the 5th percentile of shading, None for a picture alone.
        monochrome: set for pictures in grey or in one tone, which show nothing of the colour of their light.
    """

    proto: captioner_pb2.LightMeasurement
    scores: dict[str, float]
    surface: Surface | None
    key: Key | None
    shown_brightness_ev: float
    shading_contrast_ev: float | None
    is_scene_linear: bool
    monochrome: Monochrome | None


def measure(evidence: Evidence) -> Measured:
    """Measure the light of a picture; fields that cannot be measured, or not well enough, stay absent."""
    result = captioner_pb2.LightMeasurement()
    weights = evidence.weight if evidence.weight.any() else np.ones_like(evidence.weight)
    shown = srgb_to_linear(evidence.display)
    tones = monochrome(shown, weights)
    scores = _fill_tones(result, evidence, shown, weights)
    surface, relief = surface_of(evidence), relief_in(evidence)
    key = measured_key(evidence, surface, relief) if surface else None
    if surface:
        _fill_harmonics(result, surface)
    shadows = None
    if key:
        result.confidences["azimuth_deg"] = key.confidence
        scores["shading_explained_fraction"] = key.fit.explained
        if key.confidence >= MIN_DIRECTION_CONFIDENCE:
            shadows = _shadows(evidence, relief, key)
            _fill_direction(result, key, shadows)
    if shadows and shadows.size_deg is not None and shadows.resolution_deg is not None:
        scores["source_size_deg"] = shadows.size_deg
        scores["source_size_resolution_deg"] = shadows.resolution_deg
    shading_ev = percentile_contrast_ev(surface.luminance) if surface else None
    if surface and shading_ev is not None:
        _fill_contrast(result, surface, key, shading_ev)
    if evidence.is_scene_linear and surface:
        _fill_intensity(result, surface, key)
    if evidence.shading is None:
        scores |= _fill_picture_color(result, shown, weights) if tones is None else {}
    else:
        scores |= _fill_shading_color(result, shading_color(color_samples(evidence, surface, relief)))
    if tones is not None:
        scores["monochrome_tint_chroma"] = float(np.linalg.norm(tones.tint_lab[1:])) if tones.is_toned else 0.0
    surfaces_ev = brightness_ev(luminance(shown), _surface_weights(evidence, weights))
    return Measured(result, scores, surface, key, surfaces_ev, shading_ev, evidence.is_scene_linear, tones)


def _surface_weights(evidence: Evidence, weights: Array) -> Array:
    """Return the weights (H, W) of pixels that show a surface, all of them where that is not known."""
    if evidence.normals is not None:
        has_surface = np.linalg.norm(evidence.normals, axis=-1) > 0.0
    elif evidence.depth is not None:
        has_surface = evidence.depth > 0.0
    else:
        return weights
    surfaces = weights * has_surface
    return surfaces if surfaces.any() else weights


def _fill_tones(
    result: captioner_pb2.LightMeasurement, evidence: Evidence, shown: Array, weights: Array
) -> dict[str, float]:
    """Fill clipping and dominant colours; return the scores of the picture as shown."""
    white, black = evidence.clipped_fractions
    result.clipped_highlights_fraction, result.clipped_shadows_fraction = white, black
    result.methods["clipped_highlights_fraction"] = result.methods["clipped_shadows_fraction"] = "all-channels-8-bit"
    for entry in dominant_colors(shown, weights):
        result.dominant_colors.add(hex=entry.hex, name=entry.name, fraction=entry.fraction)
    result.methods["dominant_colors"] = "k-means-oklab"
    level = luminance(shown)
    return {
        "exposure_clipped_fraction": white,
        "exposure_crushed_fraction": black,
        "luminance_contrast_ev": percentile_contrast_ev(level, weights),
        "shown_brightness_ev": brightness_ev(level, weights),
        "sharpness": sharpness(evidence.display, weights),
        "colorfulness": colorfulness(evidence.display, weights),
    }


def _fill_harmonics(result: captioner_pb2.LightMeasurement, surface: Surface) -> None:
    known = np.isfinite(surface.shading).all(axis=-1)
    shading = gather(surface.normals[known], surface.shading[known], np.ones(int(known.sum())))
    if shading is not None:
        coefficients = fit_radiance(shading.normals, shading.rgb, shading.weights)
        result.spherical_harmonics.extend(coefficients.T.reshape(-1).tolist())
        result.methods["spherical_harmonics"] = "normals-sh-least-squares"


def _shadows(evidence: Evidence, relief: Relief | None, key: Key) -> CastShadows | None:
    if relief is None or evidence.shading is None:
        return None
    levels = surface_luminance(evidence.shading).astype(np.float32)
    return cast_shadows(relief, levels, evidence.camera_axes @ key.direction)


def _fill_direction(result: captioner_pb2.LightMeasurement, key: Key, shadows: CastShadows | None) -> None:
    result.attributes.azimuth_deg, result.attributes.elevation_deg = angles_of(key.direction)
    result.methods["azimuth_deg"] = result.methods["elevation_deg"] = key.method
    hardness = measured_hardness(key, shadows)
    if hardness is not None:
        result.attributes.hardness, result.methods["hardness"] = hardness


def _fill_contrast(
    result: captioner_pb2.LightMeasurement, surface: Surface, key: Key | None, shading_ev: float
) -> None:
    contrast, method = None, "lit-shaded-mean"
    if key and result.attributes.HasField("azimuth_deg"):
        contrast = lit_and_shaded_ev(surface.normals, surface.luminance, key.direction)
    if contrast is None:
        contrast, method = shading_ev, "shading-percentiles-5-95"
    result.attributes.contrast_ev = min(max(contrast, 0.0), 32.0)
    result.methods["contrast_ev"] = method


def _fill_intensity(result: captioner_pb2.LightMeasurement, surface: Surface, key: Key | None) -> None:
    """Fill log₂(E / π) on a surface that faces the key: shading is irradiance / π, and the fit gives both parts."""
    level = float(surface.luminance.mean()) if key is None else key.fit.even + key.fit.strength
    if level > _MIN_INTENSITY:
        result.attributes.intensity_ev = math.log2(level)
        result.methods["intensity_ev"] = "fitted-irradiance"


def _fill_shading_color(result: captioner_pb2.LightMeasurement, found: ShadingColor | None) -> dict[str, float]:
    """Fill colour temperature and Duv from shading; return the scores."""
    if found is None:
        return {}
    result.confidences["color_temperature_k"] = found.confidence
    result.duv, result.methods["duv"] = found.color.duv, "shading-growth-and-bright+robertson-1968"
    if found.color.is_white and found.confidence >= MIN_TEMPERATURE_CONFIDENCE:
        result.attributes.color_temperature_k = found.color.temperature_k
        result.methods["color_temperature_k"] = result.methods["duv"]
    return {} if found.mix_mired is None else {"color_temperature_mix_mired": found.mix_mired}


def _fill_picture_color(result: captioner_pb2.LightMeasurement, shown: Array, weights: Array) -> dict[str, float]:
    """Fill colour temperature and Duv from a picture alone; return the scores."""
    found = picture_color(shown, weights)
    if found.temperature is not None:
        result.confidences["color_temperature_k"] = found.temperature_confidence
        result.attributes.color_temperature_k = found.temperature.temperature_k
        result.duv = found.temperature.duv
        result.methods["color_temperature_k"] = result.methods["duv"] = "agreeing-estimates+robertson-1968"
    scores = {"color_cast_mired": found.cast_mired, "color_temperature_mix_mired": found.mix_mired}
    return {name: value for name, value in scores.items() if value is not None}
