"""Check that a scene from outside can be built: known names, finite numbers, reasonable sizes."""

import math

from google.protobuf import json_format

from lumenmill.common.v1.light_pb2 import Light
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.interceptors import check_bounds
from lumenmill_common.json_misfits import json_misfit
from lumenmill_studio.scenes.materials import MATERIALS
from lumenmill_studio.scenes.sets import SETS
from lumenmill_studio.scenes.shapes import SHAPES
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec
from lumenmill_studio.scenes.vocabulary import KINDS

__all__ = ["check_scene"]

_ROLES = ("subject", "ground", "backdrop")
_MAX_OBJECTS = 256
_MAX_LENGTH_M = 10_000.0
_MAX_SCALE = 1000.0
_MAX_SEED = (1 << 64) - 1
_MAX_INSTANCE = 65_535
_MAX_WINDOW_WALL_M = 100.0
_COUNTS = {"count": 1000, "num_windows": 32, "back_windows": 32, "side_windows": 32}
_MAX_BLADES = 60_000
# Characters, as in SceneDescription.
_MAX_NAME, _MAX_PLACE, _MAX_DESCRIPTION = 128, 500, 2000


def check_scene(spec: SceneSpec) -> None:
    """Check the values of a scene.

    Raises:
        ValueError: a value has another type, is unknown, or out of bounds; the text names it and what is allowed.
    """
    if spec.kind not in KINDS.values():
        raise ValueError(f"kind is {str(spec.kind)[:80]!r}; must be one of {', '.join(KINDS.values())}")
    _check_text("description", spec.description, _MAX_DESCRIPTION)
    _check_text("place", spec.place, _MAX_PLACE)
    for name, texts in (("subjects", spec.subjects), ("materials", spec.materials)):
        for text in texts:
            _check_text(name, text, _MAX_NAME)
    for text in (word for pair in spec.substitutions for word in pair):
        _check_text("substitutions", text, _MAX_DESCRIPTION)
    _check_whole("seed", spec.seed, _MAX_SEED)
    _check_number("subject_radius", spec.subject_radius, 1e-4, _MAX_LENGTH_M)
    camera = spec.camera
    _check_number("camera.elevation_deg", camera.elevation_deg, -90, 90)
    _check_number("camera.distance", camera.distance, 1e-4, _MAX_LENGTH_M)
    _check_number("camera.focal_length_mm", camera.focal_length_mm, 1, 10_000)
    _check_number("camera.aim_y", camera.aim_y, -_MAX_LENGTH_M, _MAX_LENGTH_M)
    if not 0 < len(spec.objects) <= _MAX_OBJECTS:
        raise ValueError(f"objects are {len(spec.objects)}; must be 1 to {_MAX_OBJECTS}")
    for index, item in enumerate(spec.objects):
        _check_object(f"objects[{index}]", item)
    _check_light(spec)


def _check_object(name: str, item: ObjectSpec) -> None:
    _check_text(f"{name}.name", item.name, _MAX_NAME)
    if not item.name:
        raise ValueError(f"{name}.name is empty; must have 1 to {_MAX_NAME} characters")
    for key in ("shape", "material", "role", "asset_uri", "asset_sha256"):
        _check_text(f"{name}.{key}", getattr(item, key))
    if item.shape != "asset" and item.shape not in SHAPES and item.shape not in SETS:
        raise ValueError(f"{name}.shape is unknown: {item.shape[:80]!r}")
    if item.material not in MATERIALS:
        raise ValueError(f"{name}.material is unknown: {item.material[:80]!r}")
    if item.role not in _ROLES:
        raise ValueError(f"{name}.role is {item.role[:80]!r}; must be one of {', '.join(_ROLES)}")
    _check_whole(f"{name}.seed", item.seed, _MAX_SEED)
    _check_whole(f"{name}.instance", item.instance, _MAX_INSTANCE)
    if len(item.position) != 3:
        raise ValueError(f"{name}.position has {len(item.position)} numbers; must be 3")
    for value in item.position:
        _check_number(f"{name}.position", value, -_MAX_LENGTH_M, _MAX_LENGTH_M)
    _check_number(f"{name}.yaw_deg", item.yaw_deg, -36_000, 36_000)
    _check_number(f"{name}.scale", item.scale, 1e-6, _MAX_SCALE)
    for key, value in item.params.items():
        _check_number(f"{name}.params", value, *_param_range(item.shape, key))


def _param_range(shape: str, key: str) -> tuple[float, float]:
    """Return the bounds of a parameter: counts are limited by the work they cause, others are lengths or fractions."""
    if key in _COUNTS:
        return 0, _MAX_BLADES if shape == "set:blades" else _COUNTS[key]
    bound = _MAX_WINDOW_WALL_M if shape in ("set:room", "set:window wall") else _MAX_LENGTH_M
    return -bound, bound


def _check_light(spec: SceneSpec) -> None:
    try:
        check_bounds(spec.light())
    except (json_format.ParseError, OverflowError, ValueError) as error:
        raise ValueError(f"default_light is no light: {json_misfit(spec.default_light, Light.DESCRIPTOR)}") from error
    except InvalidArgumentError as error:
        raise ValueError(f"default_light.{error}") from error


def _check_text(name: str, value: object, longest: int | None = None) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    if longest is not None and len(value) > longest:
        raise ValueError(f"{name} has {len(value)} characters; must have at most {longest}")


def _check_whole(name: str, value: object, highest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise ValueError(f"{name} must be a whole number from 0 to {highest}")


def _check_number(name: str, value: object, lowest: float, highest: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name} is no number")
    if not lowest <= value <= highest or not math.isfinite(value):
        raise ValueError(f"{name} must be a number from {lowest:g} to {highest:g}")
