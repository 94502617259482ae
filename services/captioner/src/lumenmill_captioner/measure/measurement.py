"""From a picture, and the maps that travel with it, to a LightMeasurement.

| field                  | with normals and albedo (or shading)             | picture alone |
| ---------------------- | ------------------------------------------------ | ------------- |
| azimuth, elevation     | `lambert-key-soft-l1`                            | absent        |
| hardness, with depth   | `penumbra-width`, else `cast-shadows-missing`    | absent        |
| hardness, without      | `terminator-fit`, when curved surfaces show it   | absent        |
| contrast               | `lit-shaded-mean`, else `shading-percentiles-5-95` | `luminance-percentiles-5-95` |
| colour temperature     | `shading-mean+robertson-1968`                         | `shades-of-grey-p6+robertson-1968` |
| intensity              | `log-average-luminance-linear` where it is given | `log-average-luminance-shown` |
| spherical harmonics    | `normals-sh-least-squares`                       | absent        |
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lumenmill.captioner.v1 import captioner_pb2
from lumenmill.common.v1 import light_pb2
from lumenmill_captioner.measure.hardness import measured_hardness
from lumenmill_captioner.measure.key_fit import KeyFit, Shading, fit_key, gather, lit_and_shaded_ev
from lumenmill_captioner.measure.penumbra import CastShadows, cast_shadows, relief_of
from lumenmill_captioner.measure.radiance_fit import fit_radiance
from lumenmill_captioner.measure.tone import (
    brightness_ev,
    colorfulness,
    dominant_colors,
    percentile_contrast_ev,
    shades_of_grey,
    sharpness,
)
from lumenmill_light.axes import Vector, angles_of
from lumenmill_light.color import correlated_temperature, luminance
from lumenmill_media import srgb_to_linear

__all__ = [
    "Evidence",
    "Measured",
    "Surface",
    "expected_on_surfaces",
    "measure",
    "shading_from",
    "surface_of",
    "undo_shoulder",
]

Array = NDArray[np.float32]

# Directions with less confidence than this are left out.
MIN_DIRECTION_CONFIDENCE = 0.3
_MIN_ALBEDO = 0.03
# No contrast is expected where a requested light leaves the shaded side darker than this: interreflection dominates it.
_MAX_EXPECTED_CONTRAST_EV = 4.0
_MIN_SURFACE_PIXELS = 200
# Linearised sRGB beyond which a tone curve cannot be inverted reliably.
_NEAR_WHITE = 0.93


@dataclass(frozen=True)
class Evidence:
    """A picture and its maps, all of one size (H, W).

    Attributes:
        display: (H, W, 3) sRGB as shown.
        linear: (H, W, 3) linear, scene-referred when `is_scene_linear`.
        weight: (H, W) opacity.
        clipped_fractions: white and black parts of the whole file.
        normals: (H, W, 3) unit vectors in the level frame, zero where there is no surface; None for a picture alone.
        shading: (H, W, 3) irradiance / π, NaN where it is unknown; None for a picture alone.
        depth: (H, W) distance along the viewing axis, 0 where there is no surface; None where it is unknown.
        camera_axes: (3, 3) rows right, up and back of the camera in the level frame.
    """

    display: Array
    linear: Array
    weight: Array
    is_scene_linear: bool
    clipped_fractions: tuple[float, float]
    normals: Array | None = None
    shading: Array | None = None
    depth: Array | None = None
    camera_axes: Vector = field(default_factory=lambda: np.eye(3))


@dataclass(frozen=True)
class Surface:
    """Pixels of lit surfaces: normals (P, 3), shading (P, 3), indices into the flat picture (P,)."""

    normals: Vector
    shading: Vector
    pixels: NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """A measurement, its scores, and the values that texts and comparisons with requested light need."""

    proto: captioner_pb2.LightMeasurement
    scores: dict[str, float]
    surface: Surface | None
    key: KeyFit | None
    shown_brightness_ev: float
    is_scene_linear: bool


def surface_of(evidence: Evidence) -> Surface | None:
    """Return the lit surfaces of the evidence, or None when too few pixels show any."""
    if evidence.normals is None or evidence.shading is None:
        return None
    normals = evidence.normals.reshape(-1, 3).astype(np.float64)
    shading = evidence.shading.reshape(-1, 3).astype(np.float64)
    length = np.linalg.norm(normals, axis=-1)
    usable = (length > 0.9) & np.isfinite(shading).all(axis=-1) & (evidence.weight.reshape(-1) > 0.5)
    pixels = np.flatnonzero(usable)
    if len(pixels) < _MIN_SURFACE_PIXELS:
        return None
    return Surface(normals[pixels] / length[pixels][:, None], np.maximum(shading[pixels], 0.0), pixels)


def measure(evidence: Evidence) -> Measured:
    """Measure the light of a picture; fields that cannot be measured stay absent."""
    result = captioner_pb2.LightMeasurement()
    attributes, methods = result.attributes, result.methods
    values = luminance(evidence.linear)
    surface = surface_of(evidence)
    shading = gather(surface.normals, surface.shading, np.ones(len(surface.pixels))) if surface else None
    key = fit_key(shading) if shading else None

    white, black = evidence.clipped_fractions
    result.clipped_highlights_fraction, result.clipped_shadows_fraction = white, black
    methods["clipped_highlights_fraction"] = methods["clipped_shadows_fraction"] = "all-channels-8-bit"
    for entry in dominant_colors(
        evidence.display, evidence.linear if not evidence.is_scene_linear else srgb_to_linear(evidence.display)
    ):
        result.dominant_colors.add(hex=entry.hex, name=entry.name, fraction=entry.fraction)
    methods["dominant_colors"] = "k-means-oklab"

    shown = luminance(srgb_to_linear(evidence.display))
    shown_ev = brightness_ev(shown, evidence.weight if evidence.weight.any() else None)
    attributes.intensity_ev = _intensity_ev(values, evidence, surface, shown_ev)
    methods["intensity_ev"] = "log-average-luminance" + ("-linear" if evidence.is_scene_linear else "-shown")
    shadows = _shadows(evidence, key) if key and key.confidence >= MIN_DIRECTION_CONFIDENCE else None
    _fill_direction(result, key, shading, shadows)
    _fill_contrast(result, values, surface, key)
    confidence = _fill_color(result, evidence, surface, shading)
    scores = {
        "exposure_clipped_fraction": white,
        "exposure_crushed_fraction": black,
        "luminance_contrast_ev": percentile_contrast_ev(shown),
        "shown_brightness_ev": shown_ev,
        "sharpness": sharpness(evidence.display),
        "colorfulness": colorfulness(evidence.display),
        "color_temperature_confidence": confidence,
    }
    if key:
        scores["shading_explained_fraction"] = key.explained
    if shadows and shadows.size_deg is not None and shadows.resolution_deg is not None:
        scores["source_size_deg"] = shadows.size_deg
        scores["source_size_resolution_deg"] = shadows.resolution_deg
    return Measured(result, scores, surface, key, shown_ev, evidence.is_scene_linear)


def _intensity_ev(values: Array, evidence: Evidence, surface: Surface | None, shown_ev: float) -> float:
    if not evidence.is_scene_linear:
        return shown_ev
    if surface:
        return brightness_ev(values.reshape(-1)[surface.pixels])
    return brightness_ev(values, evidence.weight if evidence.weight.any() else None)


def _shadows(evidence: Evidence, key: KeyFit) -> CastShadows | None:
    if evidence.depth is None or evidence.normals is None or evidence.shading is None:
        return None
    relief = relief_of(evidence.depth, (evidence.normals @ evidence.camera_axes.T).astype(np.float32))
    return cast_shadows(relief, luminance(evidence.shading), evidence.camera_axes @ key.direction) if relief else None


def _fill_direction(
    result: captioner_pb2.LightMeasurement, key: KeyFit | None, shading: Shading | None, shadows: CastShadows | None
) -> None:
    if shading is None:
        return
    coefficients = fit_radiance(shading.normals, shading.rgb, shading.weights)
    result.spherical_harmonics.extend(coefficients.T.reshape(-1).tolist())
    result.methods["spherical_harmonics"] = "normals-sh-least-squares"
    if key is None:
        return
    result.confidences["azimuth_deg"] = key.confidence
    if key.confidence < MIN_DIRECTION_CONFIDENCE:
        return
    result.attributes.azimuth_deg, result.attributes.elevation_deg = angles_of(key.direction)
    result.methods["azimuth_deg"] = result.methods["elevation_deg"] = "lambert-key-soft-l1"
    hardness = measured_hardness(key, shadows)
    if hardness is not None:
        result.attributes.hardness, result.methods["hardness"] = hardness


def _fill_contrast(
    result: captioner_pb2.LightMeasurement, values: Array, surface: Surface | None, key: KeyFit | None
) -> None:
    method = "luminance-percentiles-5-95"
    contrast: float | None = None
    if surface:
        lit = luminance(surface.shading)
        if key and result.attributes.HasField("azimuth_deg"):
            contrast, method = lit_and_shaded_ev(surface.normals, lit, key.direction), "lit-shaded-mean"
        if contrast is None:
            contrast, method = percentile_contrast_ev(lit), "shading-percentiles-5-95"
    if contrast is None:
        contrast = percentile_contrast_ev(values)
    result.attributes.contrast_ev = min(max(contrast, 0.0), 32.0)
    result.methods["contrast_ev"] = method


def _fill_color(
    result: captioner_pb2.LightMeasurement, evidence: Evidence, surface: Surface | None, shading: Shading | None
) -> float:
    """Fill colour temperature and Duv; return the confidence in them, 0 to 1."""
    rgb: Vector
    if shading is None and evidence.shading is not None and np.isfinite(evidence.shading).all(axis=-1).any():
        valid = evidence.shading[np.isfinite(evidence.shading).all(axis=-1)]
        rgb, method, confidence = np.median(valid, axis=0).astype(np.float64), "shading-median+robertson-1968", 0.9
    elif shading and surface:
        rgb, method, confidence = shading.weights @ shading.rgb, "shading-mean+robertson-1968", 0.95
    else:
        rgb, method, confidence = (
            shades_of_grey(evidence.linear, evidence.weight),
            "shades-of-grey-p6+robertson-1968",
            0.3,
        )
    color = correlated_temperature(rgb)
    if color is None:
        return 0.0
    result.duv = color.duv
    result.methods["duv"] = method
    if color.is_white:
        result.attributes.color_temperature_k = color.temperature_k
        result.methods["color_temperature_k"] = method
    return confidence


def expected_on_surfaces(
    expected: light_pb2.LightAttributes, measured: Measured, shading_of: Callable[[Vector], Vector | None]
) -> None:
    """Set the contrast and brightness that a requested light would give the surfaces of a measured picture.

    Shadows and interreflection are ignored. Does nothing without scene-linear surfaces or with unknown shading.

    Args:
        expected: attributes of the requested light; `contrast_ev` and `intensity_ev` are set.
        measured: the measurement whose surfaces are lit.
        shading_of: returns the light's shading (N, 3) on normals (N, 3) of the level frame, or None.
    """
    surface = measured.surface
    if surface is None or not measured.is_scene_linear:
        return
    shading = shading_of(surface.normals)
    if shading is None:
        return
    lit, seen = luminance(shading), luminance(surface.shading)
    if float(lit.mean()) <= 0.0 or float(seen.mean()) <= 0.0:
        return
    expected.intensity_ev = measured.proto.attributes.intensity_ev + math.log2(float(lit.mean()) / float(seen.mean()))
    if measured.key and measured.proto.methods["contrast_ev"] == "lit-shaded-mean":
        contrast = lit_and_shaded_ev(surface.normals, lit, measured.key.direction)
        if contrast is not None and contrast <= _MAX_EXPECTED_CONTRAST_EV:
            expected.contrast_ev = max(contrast, 0.0)


def shading_from(linear: Array, albedo: Array, metallic: Array | None) -> Array:
    """Return shading (irradiance / π) as linear / albedo, NaN where albedo is too dark, metal, or the picture clips.

    Args:
        linear: (H, W, 3).
        albedo: (H, W, 3), 0 to 1.
        metallic: (H, W, 1), 0 to 1, or None.
    """
    usable = (albedo.min(axis=-1) > _MIN_ALBEDO) & (linear.max(axis=-1) < 1e4)
    if metallic is not None:
        usable &= metallic[..., 0] < 0.3
    shading = np.full(linear.shape, np.nan, np.float32)
    shading[usable] = linear[usable] / albedo[usable]
    return shading


def undo_shoulder(linear: Array) -> Array:
    """Return approximately scene-linear values of linearised sRGB ones, y / (1 − y²), infinite near white.

    Cameras and tone maps compress highlights; divided by albedo, they would make light look broader and flatter than it
    is. The curve is nearly linear up to 0.2 and corrects by one stop at 0.7.
    """
    near_white = linear.max(axis=-1, keepdims=True) > _NEAR_WHITE
    return np.where(near_white, np.inf, linear / np.maximum(1.0 - linear**2, 1e-3)).astype(np.float32)
