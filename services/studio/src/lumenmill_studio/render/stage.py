"""Build the Mitsuba shapes of a scene, which all its lights and viewpoints share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any

import mitsuba as mi
import numpy as np

from lumenmill_studio.scenes.materials import MATERIALS, Material
from lumenmill_studio.scenes.patterns import bitmap, colors_at
from lumenmill_studio.scenes.sets import SETS
from lumenmill_studio.scenes.shapes import build_shape
from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, Part, rotation
from lumenmill_studio.scenes.spec import ObjectSpec, SceneSpec

__all__ = ["AssetParts", "Stage", "Surface"]

_SOLID_VERTICES = 4000
_BITMAP_PX = 512
# Sizes for patterns without fine detail.
_COARSE_PX = {"weathered": 224, "earth": 256, "concrete": 384, "glaze": 224, "patina": 224, "dunes": 256, "meadow": 448}
AssetParts = Callable[[ObjectSpec], tuple[Part, ...]]


@dataclass(frozen=True)
class Surface:
    """One mesh of a scene.

    Attributes:
        shape: with its real material.
        stand_in: returns the mesh in white Lambertian material; black for glass, which has no diffuse light.
        coated: returns the mesh in Lambertian material of a reflectance.
        instance: number of its object in instance masks.
        role: that of its object.
    """

    shape: Any
    stand_in: Callable[[], Any]
    coated: Callable[[float], Any]
    instance: int
    role: str
    roughness: float
    metallic: float
    is_glass: bool


class Stage:
    """All surfaces of a scene."""

    def __init__(self, spec: SceneSpec, asset_parts: AssetParts) -> None:
        self.spec = spec
        self._surfaces = [surface for item in spec.objects for surface in _surfaces(item, asset_parts)]

    def surfaces(self, open_set: bool) -> list[Surface]:
        """Return the surfaces, without backdrops if the set is open."""
        return [surface for surface in self._surfaces if not (open_set and surface.role == "backdrop")]


def _surfaces(item: ObjectSpec, asset_parts: AssetParts) -> list[Surface]:
    surfaces = []
    for part in _parts(item, asset_parts):
        name = item.material if part.material == "main" else part.material
        material = MATERIALS[name]
        mesh = _placed(part.mesh, item)
        texture, colors = _texture(part.mesh, material, item)
        surfaces.append(
            Surface(
                shape=_shape(mesh, _bsdf(material, texture), colors),
                stand_in=cache(partial(_coated, mesh, 0.0 if material.transmittance is not None else 1.0)),
                coated=partial(_coated, mesh),
                instance=item.instance,
                role=item.role,
                roughness=material.roughness,
                metallic=material.metallic,
                is_glass=material.transmittance is not None,
            )
        )
    return surfaces


def _parts(item: ObjectSpec, asset_parts: AssetParts) -> tuple[Part, ...]:
    if item.shape == "asset":
        return asset_parts(item)
    if item.shape in SETS:
        return tuple(SETS[item.shape](item.params, np.random.default_rng(item.seed)))
    return build_shape(item.shape, item.seed)


def _placed(mesh: Mesh, item: ObjectSpec) -> Mesh:
    turn = rotation("y", item.yaw_deg)
    normals = None if mesh.normals_v3 is None else mesh.normals_v3 @ turn.T
    return Mesh(
        mesh.vertices_v3 @ turn.T * item.scale + np.array(item.position),
        mesh.faces_f3,
        mesh.uv_v2 * item.scale,
        normals,
    )


def _texture(mesh: Mesh, material: Material, item: ObjectSpec) -> tuple[dict[str, Any], Array | None]:
    """Return the colour as a Mitsuba texture, and vertex colours (V, 3) if the texture is a solid one."""
    if not material.pattern:
        return {"type": "rgb", "value": list(material.base_color)}, None
    first, second, seed = material.base_color, material.second_color, item.seed & 0xFFFF
    if not material.flat_pattern and len(mesh.vertices_v3) > _SOLID_VERTICES:
        colors = colors_at(mesh.vertices_v3 * item.scale, material.pattern, first, second, seed, material.pattern_scale)
        return {"type": "mesh_attribute", "name": "vertex_color"}, colors
    extent = max(0.3, min(float(np.ptp(mesh.uv_v2, axis=0).max()) * item.scale, 4.0))
    image = _bitmap(material.pattern, first, second, seed, round(extent, 3), material.pattern_scale)
    place = mi.ScalarTransform4f().scale([1 / extent, 1 / extent, 1])
    return {"type": "bitmap", "bitmap": mi.Bitmap(image), "raw": True, "wrap_mode": "mirror", "to_uv": place}, None


@lru_cache(maxsize=24)
def _bitmap(
    pattern: str,
    first: tuple[float, float, float],
    second: tuple[float, float, float],
    seed: int,
    extent: float,
    scale: float,
) -> Any:
    return np.ascontiguousarray(
        bitmap(pattern, first, second, seed, extent, _COARSE_PX.get(pattern, _BITMAP_PX), scale), np.float32
    )


def _bsdf(material: Material, texture: dict[str, Any]) -> dict[str, Any]:
    if material.transmittance is not None:
        return {
            "type": "dielectric",
            "int_ior": 1.5,
            "ext_ior": 1.0,
            "specular_transmittance": {"type": "rgb", "value": list(material.transmittance)},
        }
    principled = {
        "type": "principled",
        "base_color": texture,
        "roughness": material.roughness,
        "metallic": material.metallic,
        "specular": material.specular,
        "clearcoat": material.clearcoat,
        "clearcoat_gloss": 0.95,
        "sheen": material.sheen,
        "sheen_tint": 0.5,
    }
    return {"type": "twosided", "material": principled}


def _coated(mesh: Mesh, reflectance: float) -> Any:
    diffuse = {"type": "diffuse", "reflectance": {"type": "rgb", "value": reflectance}}
    return _shape(mesh, {"type": "twosided", "material": diffuse}, None)


def _shape(mesh: Mesh, bsdf: dict[str, Any], colors_v3: Array | None) -> Any:
    properties = mi.Properties()
    properties["mesh_bsdf"] = mi.load_dict(bsdf)
    smooth = mesh.normals_v3 is not None
    shape: Any = mi.Mesh(
        "surface",
        len(mesh.vertices_v3),
        len(mesh.faces_f3),
        has_vertex_normals=smooth,
        has_vertex_texcoords=True,
        props=properties,
    )
    if colors_v3 is not None:
        shape.add_attribute("vertex_color", 3, np.ascontiguousarray(colors_v3, np.float32).ravel())
    parameters = mi.traverse(shape)
    parameters["vertex_positions"] = np.ascontiguousarray(mesh.vertices_v3, np.float32).ravel()
    parameters["faces"] = np.ascontiguousarray(mesh.faces_f3, np.uint32).ravel()
    parameters["vertex_texcoords"] = np.ascontiguousarray(mesh.uv_v2, np.float32).ravel()
    if mesh.normals_v3 is not None:
        parameters["vertex_normals"] = np.ascontiguousarray(mesh.normals_v3, np.float32).ravel()
    parameters.update()
    return shape
