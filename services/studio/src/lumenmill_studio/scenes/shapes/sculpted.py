"""Build sculptures from signed distance fields, blended smoothly and meshed by surface nets.

Sources: smooth minimum and distance primitives after Quilez (2013), meshing by naive surface nets after Gibson (1998).
"""

from collections.abc import Callable

import numpy as np

from lumenmill_studio.scenes.shapes.mesh import Array, Mesh, Part, with_smooth_normals
from lumenmill_studio.scenes.shapes.noise import fractal_noise

__all__ = [
    "Field",
    "Rng",
    "abstract_sculpture",
    "blend",
    "bust",
    "capsule",
    "carve",
    "ellipsoid",
    "head",
    "meshed",
    "statue",
]

Rng = np.random.Generator
Field = Callable[[Array, Array, Array], Array]


def blend(a: Array, b: Array, width: float) -> Array:
    """Return the smooth union of two fields with a fillet of ``width`` metres."""
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return np.asarray(b + (a - b) * h - width * h * (1 - h))


def carve(a: Array, b: Array, width: float) -> Array:
    """Return field ``a`` without ``b``, with the edge rounded by ``width`` metres."""
    return -blend(-a, b, width)


def ellipsoid(
    x: Array, y: Array, z: Array, center: tuple[float, float, float], radii: tuple[float, float, float]
) -> Array:
    """Return the approximate distance to an ellipsoid."""
    qx, qy, qz = (x - center[0]) / radii[0], (y - center[1]) / radii[1], (z - center[2]) / radii[2]
    k0 = np.sqrt(qx**2 + qy**2 + qz**2)
    k1 = np.sqrt((qx / radii[0]) ** 2 + (qy / radii[1]) ** 2 + (qz / radii[2]) ** 2)
    return np.asarray(k0 * (k0 - 1) / np.maximum(k1, 1e-9))


def capsule(
    x: Array, y: Array, z: Array, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float
) -> Array:
    """Return the distance to a capsule from ``a`` to ``b`` whose radius changes from ``ra`` to ``rb``."""
    axis = np.subtract(b, a)
    t = np.clip(((x - a[0]) * axis[0] + (y - a[1]) * axis[1] + (z - a[2]) * axis[2]) / float(axis @ axis), 0, 1)
    dx, dy, dz = x - a[0] - axis[0] * t, y - a[1] - axis[1] * t, z - a[2] - axis[2] * t
    return np.asarray(np.sqrt(dx**2 + dy**2 + dz**2) - (ra + (rb - ra) * t))


def meshed(
    field: Field, lower: tuple[float, float, float], upper: tuple[float, float, float], num_cells: int = 110
) -> Mesh:
    """Return the surface of ``field`` = 0 inside a box with ``num_cells`` cells along its longest edge."""
    step = max(u - low for low, u in zip(lower, upper, strict=True)) / num_cells
    axes = [np.arange(low, u + step, step, dtype=np.float64) for low, u in zip(lower, upper, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    values = np.asarray(field(x, y, z), dtype=np.float32)
    vertices, faces = _surface_nets(values)
    points = vertices * step + np.array(lower)
    mesh = Mesh(points, faces, np.stack([points[:, 0] + points[:, 2], points[:, 1]], 1))
    return with_smooth_normals(_relaxed(mesh))


def _surface_nets(values: np.ndarray) -> tuple[Array, np.ndarray]:
    inside = values < 0
    corners = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    shape = tuple(n - 1 for n in values.shape)

    def at(array: np.ndarray, corner: tuple[int, int, int]) -> np.ndarray:
        return array[tuple(slice(c, c + n) for c, n in zip(corner, shape, strict=True))]

    count = sum(at(inside, corner).astype(np.int8) for corner in corners)
    cells = np.argwhere((count > 0) & (count < 8))
    index = np.full(shape, -1, dtype=np.int64)
    index[tuple(cells.T)] = np.arange(len(cells))
    total, weight = np.zeros((len(cells), 3)), np.zeros((len(cells), 1))
    for first in corners:
        for axis in range(3):
            if first[axis]:
                continue
            second = tuple(1 if i == axis else c for i, c in enumerate(first))
            a, b = values[tuple((cells + first).T)], values[tuple((cells + second).T)]
            crosses = (a < 0) != (b < 0)
            t = np.where(crosses, a / np.where(crosses, a - b, 1), 0)
            total += np.where(crosses[:, None], np.array(first) + t[:, None] * np.eye(3)[axis], 0)
            weight += crosses[:, None]
    vertices = cells + total / np.maximum(weight, 1)
    return vertices, np.concatenate([_quads(inside, index, axis) for axis in range(3)])


def _quads(inside: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    u, v = (axis + 1) % 3, (axis + 2) % 3
    near = np.moveaxis(inside, (axis, u, v), (0, 1, 2))[:-1, 1:-1, 1:-1]
    far = np.moveaxis(inside, (axis, u, v), (0, 1, 2))[1:, 1:-1, 1:-1]
    cells = np.moveaxis(index, (axis, u, v), (0, 1, 2))
    edge = np.argwhere(near != far)
    i, j, k = edge.T
    quad = np.stack([cells[i, j, k], cells[i, j + 1, k], cells[i, j + 1, k + 1], cells[i, j, k + 1]], 1)
    flip = ~near[i, j, k]
    quad[flip] = quad[flip][:, ::-1]
    return np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]).astype(np.uint32)


def _relaxed(mesh: Mesh, num_rounds: int = 2) -> Mesh:
    points = mesh.vertices_v3
    edges = np.concatenate([mesh.faces_f3[:, [0, 1]], mesh.faces_f3[:, [1, 2]], mesh.faces_f3[:, [2, 0]]]).astype(
        np.int64
    )
    degree = np.bincount(edges[:, 0], minlength=len(points))[:, None]
    for _ in range(num_rounds):
        total = np.stack([np.bincount(edges[:, 0], points[edges[:, 1], d], len(points)) for d in range(3)], 1)
        points = 0.4 * points + 0.6 * total / np.maximum(degree, 1)
    return Mesh(points, mesh.faces_f3, mesh.uv_v2)


def _head_field(x: Array, y: Array, z: Array, s: dict[str, float]) -> Array:
    ax = np.abs(x)
    skull = ellipsoid(ax, y, z, (0, 0.075, -0.018), (0.083, 0.1, 0.105))
    face = ellipsoid(ax, y, z, (0, 0.0, 0.02), (0.064 * s["jaw"], 0.1, 0.075))
    d = blend(skull, face, 0.05)
    chin = ellipsoid(ax, y, z, (0, -0.082, 0.07), (0.021, 0.018, 0.018))
    d = blend(d, chin, 0.035)
    cheek = ellipsoid(ax, y, z, (0.045, -0.005, 0.062), (0.026, 0.022, 0.022))
    d = blend(d, cheek, 0.025)
    brow = capsule(ax, y, z, (0.008, 0.048, 0.087), (0.047, 0.052, 0.07), 0.013, 0.01)
    d = blend(d, brow, 0.02)
    socket = ellipsoid(ax, y, z, (0.031, 0.026, 0.1), (0.022, 0.014, 0.022))
    d = carve(d, socket, 0.016)
    eye = ellipsoid(ax, y, z, (0.0305, 0.024, 0.072), (0.0165, 0.0135, 0.0155))
    d = blend(d, eye, 0.003)
    lid = capsule(ax, y, z, (0.018, 0.032, 0.084), (0.044, 0.031, 0.075), 0.0045, 0.004)
    d = blend(d, lid, 0.006)
    bridge = capsule(ax, y, z, (0, 0.042, 0.09), (0, -0.012, 0.088 + s["nose"]), 0.0075, 0.0095)
    d = blend(d, bridge, 0.011)
    wing = ellipsoid(ax, y, z, (0.0095, -0.0155, 0.088 + 0.5 * s["nose"]), (0.0075, 0.0065, 0.0105))
    d = blend(d, wing, 0.008)
    upper_lip = capsule(ax, y, z, (0, -0.0415, 0.0945), (0.022, -0.0465, 0.081), 0.0072, 0.0035)
    lower_lip = capsule(ax, y, z, (0, -0.0545, 0.092), (0.017, -0.051, 0.082), 0.0082, 0.004)
    d = blend(blend(d, upper_lip, 0.006), lower_lip, 0.006)
    ear = ellipsoid(ax, y, z, (0.084, 0.012, -0.012), (0.011, 0.03, 0.019))
    d = blend(d, carve(ear, ellipsoid(ax, y, z, (0.096, 0.015, -0.008), (0.008, 0.018, 0.01)), 0.005), 0.008)
    return blend(d, _hair(x, y, z, s), 0.006)


def _hair(x: Array, y: Array, z: Array, s: dict[str, float]) -> Array:
    cap = ellipsoid(np.abs(x), y, z, (0, 0.082, -0.027), (0.093, 0.103, 0.114))
    curls = (
        0.0055
        * np.sin(x * s["curl"] + 3 * np.sin(y * 55))
        * np.sin(y * s["curl"] + 2.0 * np.sin(z * 60))
        * np.sin(z * s["curl"] + 1.3)
    )
    hairline = (z * 0.75 - (y - 0.082) * 1.0) - 0.005
    return np.asarray(np.maximum(cap + curls, hairline * 0.7))


def _head_traits(rng: Rng) -> dict[str, float]:
    return {
        "jaw": float(rng.uniform(0.94, 1.06)),
        "nose": float(rng.uniform(0.022, 0.03)),
        "curl": float(rng.uniform(120, 190)),
        "turn": float(np.radians(rng.uniform(-32, 32))),
        "nod": float(np.radians(rng.uniform(-4, 10))),
    }


def _posed_head(x: Array, y: Array, z: Array, s: dict[str, float], base_y: float) -> Array:
    cos, sin = np.cos(s["turn"]), np.sin(s["turn"])
    hx, hz = cos * x - sin * z, sin * x + cos * z
    cos, sin = np.cos(s["nod"]), np.sin(s["nod"])
    hy = y - base_y
    return _head_field(hx + 0 * hy, cos * hy + sin * hz, -sin * hy + cos * hz, s)


def bust(rng: Rng) -> list[Part]:
    """Build a classical bust on a turned socle."""
    s = _head_traits(rng)
    rough = int(rng.integers(1 << 30))

    def field(x: Array, y: Array, z: Array) -> Array:
        head = _posed_head(x, y, z, s, 0.4)
        neck = capsule(x, y, z, (0, 0.2, -0.02), (0.01 * np.sin(s["turn"]), 0.36, -0.012), 0.063, 0.054)
        cord = capsule(np.abs(x), y, z, (0.018, 0.205, 0.035), (0.06, 0.34, -0.01), 0.014, 0.012)
        d = blend(head, blend(neck, cord, 0.02), 0.03)
        trapezius = capsule(np.abs(x), y, z, (0.02, 0.24, -0.035), (0.14, 0.165, -0.03), 0.05, 0.045)
        chest = ellipsoid(x, y, z, (0, 0.13, 0.0), (0.165, 0.11, 0.085))
        pectoral = ellipsoid(np.abs(x), y, z, (0.065, 0.125, 0.05), (0.072, 0.055, 0.042))
        clavicle = capsule(np.abs(x), y, z, (0.012, 0.193, 0.062), (0.125, 0.205, 0.015), 0.009, 0.011)
        body = blend(blend(chest, pectoral, 0.03), clavicle, 0.018)
        d = blend(d, blend(body, trapezius, 0.05), 0.035)
        d = np.maximum(d, 0.03 + 1.9 * x**2 - y)
        radius = np.sqrt(x**2 + z**2)
        stem = np.maximum(radius - (0.04 + 0.9 * (y + 0.02) ** 2), np.abs(y + 0.0) - 0.07)
        socle = np.maximum(radius - 0.085, np.abs(y + 0.085) - 0.022) - 0.004
        return blend(blend(d, stem, 0.02), socle, 0.008)

    mesh = meshed(field, (-0.2, -0.116, -0.16), (0.2, 0.62, 0.18), 190)
    noise = fractal_noise(mesh.vertices_v3 * 90, rough, 2) * 0.0005
    normals = mesh.normals_v3 if mesh.normals_v3 is not None else np.zeros_like(mesh.vertices_v3)
    mesh = with_smooth_normals(Mesh(mesh.vertices_v3 + normals * noise[:, None], mesh.faces_f3, mesh.uv_v2))
    return [Part(_standing(mesh))]


def head(rng: Rng) -> list[Part]:
    """Build a sculpted head on its neck, with a square plinth."""
    s = _head_traits(rng)

    def field(x: Array, y: Array, z: Array) -> Array:
        d = _posed_head(x, y, z, s, 0.27)
        neck = capsule(x, y, z, (0, 0.06, -0.025), (0, 0.24, -0.015), 0.058, 0.05)
        d = blend(d, np.maximum(neck, 0.05 - y), 0.025)
        block = np.maximum(np.maximum(np.abs(x), np.abs(z + 0.01)) - 0.095, np.abs(y - 0.025) - 0.03) - 0.003
        return blend(d, block, 0.006)

    return [Part(_standing(meshed(field, (-0.13, -0.02, -0.16), (0.13, 0.48, 0.16), 170)))]


def statue(rng: Rng) -> list[Part]:
    """Build a standing draped figure on a round base."""
    s = _head_traits(rng)
    lean, folds, phase = float(rng.uniform(-0.03, 0.03)), int(rng.integers(11, 17)), float(rng.uniform(0, 6))
    raised = float(rng.uniform(0, 1)) < 0.5

    def field(x: Array, y: Array, z: Array) -> Array:
        sway = lean * np.sin(np.clip(y, 0, 1.4) * 2.4)
        bx = x - sway
        angle = np.arctan2(bx, z)
        radius = np.sqrt((bx / 1.12) ** 2 + (z / 0.88) ** 2)
        hang = np.clip((1.02 - y) / 1.0, 0, 1)
        girth = (
            0.125
            + 0.06 * hang**1.5
            - 0.035 * np.exp(-(((y - 1.0) / 0.09) ** 2))
            + 0.012 * np.exp(-(((y - 0.85) / 0.1) ** 2))
        )
        fold = (0.016 * hang**0.7 + 0.004) * np.sin(
            folds * angle + phase + 2.2 * np.sin(3.1 * y + angle) * (0.3 + hang)
        )
        drape = np.maximum((radius - girth - fold) * 0.62, np.maximum(0.06 - y, y - 1.27))
        chest = ellipsoid(bx, y, z, (0, 1.2, 0.0), (0.15, 0.17, 0.1))
        d = blend(drape, chest, 0.06)
        neck = capsule(bx, y, z, (0, 1.28, -0.01), (0, 1.46, 0.0), 0.052, 0.044)
        d = blend(d, neck, 0.04)
        sash = 0.012 * np.sin(38 * (y + 0.55 * bx + 0.1 * z)) * np.exp(-(((y - 1.1 + 0.5 * bx) / 0.12) ** 2))
        d = d - sash
        hand = (0.16, 1.05, 0.13) if not raised else (0.26, 1.42, 0.12)
        arm = blend(
            capsule(bx, y, z, (0.145, 1.29, -0.01), (0.23, 1.06, 0.02), 0.046, 0.037),
            capsule(bx, y, z, (0.23, 1.06, 0.02), hand, 0.036, 0.025),
            0.02,
        )
        other = blend(
            capsule(bx, y, z, (-0.145, 1.29, -0.01), (-0.215, 1.04, 0.0), 0.046, 0.037),
            capsule(bx, y, z, (-0.215, 1.04, 0.0), (-0.11, 0.93, 0.13), 0.036, 0.025),
            0.02,
        )
        d = blend(blend(d, arm, 0.035), other, 0.035)
        d = blend(d, _posed_head(x - lean * 0.3, y, z, s, 1.53), 0.02)
        base = np.maximum(np.sqrt(x**2 + z**2) - 0.23, np.abs(y - 0.03) - 0.035) - 0.006
        return np.asarray(blend(d, base, 0.01))

    return [Part(_standing(meshed(field, (-0.36, -0.02, -0.3), (0.36, 1.72, 0.3), 230)))]


def abstract_sculpture(rng: Rng) -> list[Part]:
    """Build a smooth pierced form in the style of mid-century carving."""
    holes = [
        (float(rng.uniform(-0.05, 0.05)), float(rng.uniform(0.2, 0.42)), float(rng.uniform(0.045, 0.085)))
        for _ in range(2)
    ]
    twist, bulge = float(rng.uniform(-3.5, 3.5)), float(rng.uniform(0.1, 0.14))

    def field(x: Array, y: Array, z: Array) -> Array:
        angle = twist * (y - 0.3)
        tx, tz = np.cos(angle) * x - np.sin(angle) * z, np.sin(angle) * x + np.cos(angle) * z
        d = ellipsoid(tx, y, tz, (0, 0.31, 0), (bulge * 1.25, 0.25, bulge * 0.62))
        d = blend(d, ellipsoid(tx, y, tz, (0.06, 0.5, 0.0), (0.075, 0.12, 0.055)), 0.09)
        for hx, hy, radius in holes:
            d = carve(d, np.sqrt((tx - hx) ** 2 + ((y - hy) * 0.72) ** 2 + 0 * tz) - radius * 0.72, 0.05)
        foot = np.maximum(np.maximum(np.abs(x) - 0.11, np.abs(z) - 0.08), np.abs(y - 0.02) - 0.025) - 0.004
        return blend(d, foot, 0.02)

    return [Part(_standing(meshed(field, (-0.22, -0.02, -0.2), (0.22, 0.66, 0.2), 130)))]


def _standing(mesh: Mesh) -> Mesh:
    return Mesh(mesh.vertices_v3 - np.array([0, mesh.lower[1], 0]), mesh.faces_f3, mesh.uv_v2, mesh.normals_v3)
