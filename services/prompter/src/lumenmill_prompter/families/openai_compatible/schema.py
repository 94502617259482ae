"""JSON schemas of the answers. They use only the subset that strict structured output accepts: every
property is required, absence is null, nothing else is allowed.
"""

from typing import Any

__all__ = ["MOTION", "PROMPT_SET", "RELIGHT", "REWRITTEN", "VIDEO_PROMPT", "Schema", "answer_schema"]

Schema = dict[str, Any]

SOURCE_TYPES = ("area", "directional", "sun_sky", "environment_map", "ambient")
_SCENE_KINDS = ("still_life", "room", "portrait", "outdoor")


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list_of(item: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": item} | ({} if most is None else {"maxItems": most})


def _number(description: str, *, nullable: bool = True) -> Schema:
    return {"type": ["number", "null"] if nullable else "number", "description": description}


_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 2000}

_SOURCE = _object(
    {
        "type": {"type": "string", "enum": list(SOURCE_TYPES)},
        "azimuth_deg": _number("-180 to 180; 0 from behind the camera, 90 from the right, 180 from behind, -90 left"),
        "elevation_deg": _number("-90 to 90; height above the horizon"),
        "size_deg": _number("angular diameter seen from the subject: 0.5 sun, 10 small softbox, 60 huge screen"),
        "strength": _number("1 = well exposed key light, 0.2 = fill, 3 = very bright"),
        "color_temperature_k": _number("1000 to 25000; null for coloured light"),
        "color_rgb": {
            "type": ["array", "null"],
            "items": {"type": "number"},
            "description": "linear red, green, blue 0 to 1, for coloured light",
        },
        "map": {"type": ["string", "null"], "description": "name of the environment map, for environment_map alone"},
        "rotation_deg": _number("turn of the environment map, -180 to 180"),
        "turbidity": _number("2 clear to 10 hazy, for sun_sky alone"),
    }
)
_LIGHT = _object(
    {
        "text": _TEXT | {"description": 'noun phrase that can follow "lit by"'},
        "sources": {**_list_of(_SOURCE, 4), "minItems": 1, "description": "the dominant source first"},
    }
)
_CAMERA = _object(
    {
        "move": {"type": "string", "enum": ["orbit", "dolly", "pan", "tilt", "static"]},
        "amount": _number(
            "orbit, pan, tilt: degrees, positive right or up; dolly: end distance by start distance; static: 0",
            nullable=False,
        ),
    }
)
_MOTION = _object(
    {
        "text": _TEXT,
        "camera": {"anyOf": [_CAMERA, {"type": "null"}]},
        "light_end": {"anyOf": [_LIGHT, {"type": "null"}], "description": "the light at the end, when the light moves"},
    }
)
_SCENE = _object(
    {
        "kind": {"type": "string", "enum": list(_SCENE_KINDS)},
        "description": _TEXT | {"description": "the scene without its light"},
        "subjects": _list_of({"type": "string", "maxLength": 128}, 16),
        "materials": _list_of({"type": "string", "maxLength": 128}, 16),
        "place": {"type": "string", "maxLength": 500},
    }
)
_RELIGHT = _object({"instruction": _TEXT, "light": _LIGHT})

# What one item of each answer is.
PROMPT_SET = _object(
    {"scene": _SCENE, "light": _LIGHT, "relights": _list_of(_RELIGHT, 32), "motions": _list_of(_MOTION, 32)}
)
VIDEO_PROMPT = _object({"scene": _SCENE, "light": _LIGHT, "motion": _MOTION})
RELIGHT = _RELIGHT
MOTION = _MOTION
REWRITTEN = _object(
    {
        "number": {"type": "integer", "description": "number of the text that is rewritten"},
        "text": {"type": "string", "minLength": 1, "maxLength": 20000},
    }
)


def answer_schema(item: Schema) -> Schema:
    """Return the schema of a whole answer: an object whose `items` are of the given schema."""
    return _object({"items": _list_of(item)})
