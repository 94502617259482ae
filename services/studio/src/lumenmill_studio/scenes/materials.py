"""Define materials by name, with the parameters of the `principled` BSDF (Burley, 2012)."""

from dataclasses import dataclass

__all__ = ["MATERIALS", "NATURAL", "Material", "Rgb"]

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """The material of a surface. Colours are linear Rec. 709 reflectances.

    ``pattern`` names a function of :mod:`lumenmill_studio.scenes.patterns`; empty means one plain colour.
    A ``flat_pattern`` (tiles, bricks) is a picture on the texture plane, never a solid texture.
    ``transmittance`` makes it clear glass of that tint instead of an opaque surface.
    """

    base_color: Rgb
    roughness: float
    metallic: float = 0.0
    pattern: str = ""
    second_color: Rgb = (0.0, 0.0, 0.0)
    pattern_scale: float = 1.0
    flat_pattern: bool = False
    specular: float = 0.5
    clearcoat: float = 0.0
    sheen: float = 0.0
    transmittance: Rgb | None = None


def _metal(color: Rgb, roughness: float, pattern: str = "", second: Rgb = (0.0, 0.0, 0.0)) -> Material:
    return Material(color, roughness, 1.0, pattern, second)


def _glazed(color: Rgb, roughness: float = 0.14, pattern: str = "glaze", second: Rgb = (0.0, 0.0, 0.0)) -> Material:
    return Material(color, roughness, pattern=pattern, second_color=second, clearcoat=0.4)


def _stone(color: Rgb, second: Rgb, pattern: str, roughness: float, scale: float = 1.0) -> Material:
    return Material(color, roughness, pattern=pattern, second_color=second, pattern_scale=scale)


def _cloth(color: Rgb, sheen: float = 0.3) -> Material:
    return Material(
        color,
        0.85,
        pattern="weave",
        second_color=(color[0] * 0.7, color[1] * 0.7, color[2] * 0.7),
        specular=0.2,
        sheen=sheen,
    )


MATERIALS: dict[str, Material] = {
    "copper": _metal((0.93, 0.52, 0.36), 0.22),
    "brass": _metal((0.86, 0.65, 0.3), 0.24),
    "bronze": _metal((0.52, 0.33, 0.18), 0.34, "patina", (0.34, 0.2, 0.1)),
    "gold": _metal((1.0, 0.73, 0.31), 0.18),
    "silver": _metal((0.95, 0.93, 0.89), 0.16),
    "steel": _metal((0.62, 0.62, 0.63), 0.2),
    "brushed steel": _metal((0.58, 0.58, 0.58), 0.38),
    "iron": _metal((0.2, 0.195, 0.19), 0.5, "patina", (0.14, 0.12, 0.11)),
    "aged bronze": Material((0.3, 0.2, 0.11), 0.48, 0.55, "patina", (0.12, 0.29, 0.23)),
    "aluminium": _metal((0.87, 0.88, 0.89), 0.3),
    "porcelain": _glazed((0.83, 0.82, 0.79), 0.1, ""),
    "white ceramic": _glazed((0.78, 0.76, 0.71), 0.2, ""),
    "glazed ceramic": _glazed((0.44, 0.32, 0.18), 0.16, "glaze", (0.16, 0.09, 0.04)),
    "blue glazed ceramic": _glazed((0.05, 0.16, 0.36), 0.13, "glaze", (0.015, 0.04, 0.14)),
    "green glazed ceramic": _glazed((0.12, 0.3, 0.2), 0.13, "glaze", (0.03, 0.12, 0.08)),
    "red glazed ceramic": _glazed((0.48, 0.06, 0.035), 0.13, "glaze", (0.2, 0.02, 0.015)),
    "terracotta": Material((0.56, 0.24, 0.13), 0.72, pattern="earth", second_color=(0.42, 0.18, 0.1)),
    "stoneware": Material((0.42, 0.37, 0.3), 0.5, pattern="speckle", second_color=(0.13, 0.09, 0.06)),
    "clay": Material((0.43, 0.33, 0.26), 0.8, pattern="earth", second_color=(0.34, 0.25, 0.19)),
    "white marble": _stone((0.8, 0.79, 0.76), (0.36, 0.37, 0.39), "marble", 0.3),
    "green marble": _stone((0.05, 0.14, 0.1), (0.5, 0.62, 0.54), "marble", 0.18),
    "black marble": _stone((0.022, 0.022, 0.026), (0.6, 0.56, 0.5), "marble", 0.15),
    "granite": _stone((0.4, 0.38, 0.37), (0.1, 0.1, 0.11), "granite", 0.4),
    "slate": _stone((0.1, 0.11, 0.125), (0.06, 0.065, 0.075), "strata", 0.55),
    "sandstone": _stone((0.6, 0.46, 0.31), (0.47, 0.32, 0.2), "strata", 0.85),
    "limestone": _stone((0.64, 0.59, 0.5), (0.5, 0.45, 0.37), "weathered", 0.85),
    "travertine": _stone((0.67, 0.58, 0.46), (0.5, 0.4, 0.3), "strata", 0.5),
    "concrete": _stone((0.42, 0.415, 0.4), (0.31, 0.305, 0.295), "concrete", 0.8),
    "plaster": _stone((0.76, 0.73, 0.68), (0.69, 0.65, 0.6), "weathered", 0.9),
    "oak": Material((0.46, 0.29, 0.15), 0.5, pattern="wood", second_color=(0.29, 0.16, 0.075)),
    "walnut": Material((0.2, 0.105, 0.052), 0.42, pattern="wood", second_color=(0.085, 0.04, 0.02)),
    "pine": Material((0.62, 0.43, 0.24), 0.5, pattern="wood", second_color=(0.46, 0.28, 0.13)),
    "ebony": Material((0.035, 0.027, 0.024), 0.3, pattern="wood", second_color=(0.016, 0.012, 0.011)),
    "cherry wood": Material((0.4, 0.16, 0.075), 0.38, pattern="wood", second_color=(0.24, 0.08, 0.036)),
    "painted wood": Material((0.3, 0.42, 0.42), 0.5, pattern="weathered", second_color=(0.24, 0.34, 0.34)),
    "clear glass": Material((0.0, 0.0, 0.0), 0.0, transmittance=(0.97, 0.985, 0.98)),
    "green glass": Material((0.0, 0.0, 0.0), 0.0, transmittance=(0.5, 0.88, 0.62)),
    "amber glass": Material((0.0, 0.0, 0.0), 0.0, transmittance=(0.95, 0.62, 0.22)),
    "leather": Material((0.23, 0.1, 0.045), 0.48, pattern="earth", second_color=(0.15, 0.06, 0.026)),
    "linen": _cloth((0.66, 0.6, 0.5)),
    "velvet": Material(
        (0.06, 0.11, 0.17), 0.75, specular=0.2, sheen=1.0, pattern="earth", second_color=(0.045, 0.08, 0.13)
    ),
    "rubber": Material((0.035, 0.035, 0.037), 0.6),
    "wax": Material((0.78, 0.7, 0.53), 0.42),
    "lacquer": Material((0.36, 0.035, 0.02), 0.12, clearcoat=1.0),
    "black lacquer": Material((0.014, 0.014, 0.016), 0.1, clearcoat=1.0),
    "red lacquer": Material((0.42, 0.024, 0.014), 0.12, clearcoat=1.0),
    "white plastic": Material((0.78, 0.78, 0.77), 0.26),
    "jade": Material((0.2, 0.42, 0.27), 0.22, pattern="marble", second_color=(0.42, 0.6, 0.42)),
    # What nature gives: chosen for `natural` and for the fixed parts of things.
    "apple skin": Material((0.5, 0.045, 0.03), 0.28, pattern="apple", second_color=(0.55, 0.42, 0.1)),
    "pear skin": Material((0.52, 0.5, 0.12), 0.4, pattern="pear", second_color=(0.42, 0.24, 0.06)),
    "lemon skin": Material((0.84, 0.6, 0.05), 0.36, pattern="earth", second_color=(0.76, 0.5, 0.04)),
    "orange skin": Material((0.84, 0.3, 0.02), 0.36, pattern="earth", second_color=(0.72, 0.22, 0.015)),
    "plum skin": Material((0.075, 0.022, 0.07), 0.4, pattern="weathered", second_color=(0.17, 0.1, 0.18)),
    "pomegranate skin": Material((0.46, 0.065, 0.05), 0.38, pattern="apple", second_color=(0.6, 0.27, 0.12)),
    "pumpkin skin": Material((0.72, 0.24, 0.03), 0.45, pattern="earth", second_color=(0.58, 0.17, 0.02)),
    "eggshell": Material((0.74, 0.6, 0.47), 0.6, pattern="speckle", second_color=(0.5, 0.36, 0.26)),
    "shell": Material((0.76, 0.64, 0.52), 0.3, pattern="strata", second_color=(0.55, 0.33, 0.21)),
    "pebble stone": _stone((0.35, 0.34, 0.325), (0.22, 0.21, 0.2), "weathered", 0.6),
    "rock": _stone((0.31, 0.285, 0.255), (0.17, 0.155, 0.14), "weathered", 0.9),
    "bark": Material((0.17, 0.12, 0.085), 0.9, pattern="weathered", second_color=(0.09, 0.06, 0.04)),
    "leaf": Material((0.1, 0.22, 0.055), 0.45, pattern="foliage", second_color=(0.05, 0.14, 0.03)),
    "cypress leaf": Material((0.045, 0.1, 0.035), 0.6, pattern="foliage", second_color=(0.025, 0.065, 0.02)),
    "stem": Material((0.2, 0.24, 0.09), 0.6),
    "soil": Material((0.07, 0.05, 0.035), 0.95, pattern="granite", second_color=(0.03, 0.02, 0.015)),
    "paper": Material((0.72, 0.67, 0.56), 0.9, pattern="strata", second_color=(0.6, 0.54, 0.43), pattern_scale=9.0),
    "char": Material((0.02, 0.018, 0.016), 0.9),
    "water": Material((0.03, 0.06, 0.06), 0.05, specular=0.6),
    "dark glass": Material((0.03, 0.035, 0.04), 0.08),
    "white paint": Material((0.72, 0.71, 0.68), 0.45),
    "roof tiles": Material((0.42, 0.17, 0.09), 0.8, pattern="roof", second_color=(0.25, 0.1, 0.06), flat_pattern=True),
    "brick": Material((0.4, 0.16, 0.095), 0.85, pattern="brick", second_color=(0.52, 0.47, 0.41), flat_pattern=True),
    "rug": Material(
        (0.36, 0.055, 0.045), 0.92, pattern="rug", second_color=(0.06, 0.085, 0.15), flat_pattern=True, sheen=0.4
    ),
    "canvas": Material((0.62, 0.55, 0.43), 0.75, pattern="canvas", second_color=(0.1, 0.17, 0.26), flat_pattern=True),
    "red cloth": _cloth((0.32, 0.04, 0.035)),
    "blue cloth": _cloth((0.05, 0.1, 0.22)),
    "green cloth": _cloth((0.06, 0.15, 0.09)),
    "ochre cloth": _cloth((0.52, 0.32, 0.08)),
    "grey cloth": _cloth((0.3, 0.29, 0.28)),
    # Grounds and walls.
    "grass": Material((0.15, 0.21, 0.06), 0.9, pattern="meadow", second_color=(0.24, 0.23, 0.09), specular=0.2),
    "grass blade": Material((0.16, 0.25, 0.06), 0.6, pattern="foliage", second_color=(0.28, 0.27, 0.1), specular=0.3),
    "sand": Material((0.62, 0.47, 0.31), 0.95, pattern="dunes", second_color=(0.52, 0.37, 0.23), specular=0.2),
    "snow": Material((0.86, 0.88, 0.91), 0.75, pattern="dunes", second_color=(0.79, 0.83, 0.89), specular=0.3),
    "gravel": Material(
        (0.4, 0.36, 0.31), 0.95, pattern="granite", second_color=(0.2, 0.18, 0.16), pattern_scale=0.35, specular=0.3
    ),
    "earth ground": Material((0.3, 0.225, 0.15), 0.95, pattern="meadow", second_color=(0.22, 0.2, 0.1), specular=0.2),
    "paving": Material((0.46, 0.42, 0.36), 0.75, pattern="paving", second_color=(0.2, 0.18, 0.15), flat_pattern=True),
    "distant hills": Material(
        (0.17, 0.22, 0.14), 0.95, pattern="meadow", second_color=(0.26, 0.25, 0.17), specular=0.1, pattern_scale=0.02
    ),
    "distant dunes": Material(
        (0.58, 0.42, 0.27), 0.95, pattern="meadow", second_color=(0.47, 0.33, 0.2), specular=0.1, pattern_scale=0.02
    ),
    "distant snow": Material(
        (0.8, 0.83, 0.88), 0.9, pattern="meadow", second_color=(0.6, 0.65, 0.72), specular=0.1, pattern_scale=0.02
    ),
    "terracotta tiles": Material(
        (0.5, 0.21, 0.11), 0.55, pattern="tiles", second_color=(0.36, 0.3, 0.25), flat_pattern=True
    ),
    "white tiles": Material(
        (0.74, 0.74, 0.71), 0.2, pattern="tiles", second_color=(0.5, 0.49, 0.47), flat_pattern=True
    ),
    "checker tiles": Material(
        (0.7, 0.68, 0.63), 0.25, pattern="checker", second_color=(0.06, 0.065, 0.07), flat_pattern=True
    ),
    "planks": Material((0.4, 0.24, 0.12), 0.42, pattern="planks", second_color=(0.24, 0.13, 0.06), flat_pattern=True),
    "dark planks": Material(
        (0.18, 0.095, 0.048), 0.4, pattern="planks", second_color=(0.09, 0.045, 0.024), flat_pattern=True
    ),
    "pale planks": Material(
        (0.6, 0.46, 0.31), 0.48, pattern="planks", second_color=(0.46, 0.33, 0.2), flat_pattern=True
    ),
    "panelling": Material(
        (0.19, 0.1, 0.052), 0.4, pattern="planks", second_color=(0.11, 0.055, 0.028), flat_pattern=True
    ),
    "warm plaster": _stone((0.72, 0.56, 0.4), (0.64, 0.48, 0.33), "weathered", 0.92),
    "blue plaster": _stone((0.2, 0.31, 0.4), (0.16, 0.26, 0.35), "weathered", 0.92),
    "green plaster": _stone((0.25, 0.34, 0.25), (0.2, 0.28, 0.2), "weathered", 0.92),
    "grey plaster": _stone((0.4, 0.39, 0.38), (0.33, 0.32, 0.31), "weathered", 0.92),
    "dark plaster": _stone((0.075, 0.075, 0.08), (0.05, 0.05, 0.055), "weathered", 0.92),
    "ochre plaster": _stone((0.6, 0.38, 0.13), (0.5, 0.3, 0.09), "weathered", 0.92),
    "red plaster": _stone((0.36, 0.075, 0.055), (0.28, 0.05, 0.04), "weathered", 0.92),
}

NATURAL: dict[str, str] = {
    "apple": "apple skin",
    "pear": "pear skin",
    "lemon": "lemon skin",
    "orange": "orange skin",
    "plum": "plum skin",
    "pomegranate": "pomegranate skin",
    "pumpkin": "pumpkin skin",
    "egg": "eggshell",
    "seashell": "shell",
    "pebble": "pebble stone",
    "stacked stones": "pebble stone",
    "rock": "rock",
    "boulder": "rock",
    "book": "blue cloth",
    "stack of books": "green cloth",
    "potted plant": "terracotta",
    "candle": "wax",
    "branch": "bark",
    "tree": "bark",
    "cypress": "bark",
    "rug": "rug",
    "painting": "oak",
}
