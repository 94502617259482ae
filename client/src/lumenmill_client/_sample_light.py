"""The three descriptions of the light of a sample: requested, arrived, measured."""

from lumenmill.common.v1.light_pb2 import LightAttributes
from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["light_line", "lights_of"]


def lights_of(sample: run_pb2.Sample) -> dict[str, LightAttributes]:
    """Return those that are known, relative to the camera, by `requested`, `arrived` and `measured`."""
    found: dict[str, LightAttributes] = {}
    if sample.HasField("requested_attributes"):
        found["requested"] = sample.requested_attributes
    elif sample.requested_light.HasField("attributes"):
        found["requested"] = _from_camera(sample)
    if sample.HasField("arrived_light"):
        found["arrived"] = sample.arrived_light.attributes
    if sample.HasField("measured_light"):
        found["measured"] = sample.measured_light
    return found


def _from_camera(sample: run_pb2.Sample) -> LightAttributes:
    """Return what the requested light states of itself, in the axes of the scene, relative to the camera."""
    found = LightAttributes()
    found.CopyFrom(sample.requested_light.attributes)
    camera = sample.camera if sample.HasField("camera") else sample.record.camera
    if found.HasField("azimuth_deg"):
        found.azimuth_deg = 180.0 - (180.0 - found.azimuth_deg + camera.viewpoint.azimuth_deg) % 360.0
    return found


def light_line(light: LightAttributes) -> str:
    """Return attributes in one line: `-45° 30°, hardness 0.80, 3200 K, -0.5 EV`."""
    parts = []
    if light.HasField("azimuth_deg") and light.HasField("elevation_deg"):
        parts.append(f"{light.azimuth_deg:.0f}° {light.elevation_deg:.0f}°")
    if light.HasField("hardness"):
        parts.append(f"hardness {light.hardness:.2f}")
    if light.HasField("color_temperature_k"):
        parts.append(f"{light.color_temperature_k:.0f} K")
    if light.HasField("intensity_ev"):
        parts.append(f"{light.intensity_ev:+.1f} EV")
    return ", ".join(parts) or "unknown"
