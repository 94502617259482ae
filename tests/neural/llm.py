"""The answers of a simulated LLM to the prompter: one item of the requested schema."""

import json
from typing import Any

from chat_endpoint import Reply, items

_SCENE = {
    "kind": "still_life",
    "description": "a brass kettle on a slate table",
    "subjects": ["kettle"],
    "materials": ["brass"],
    "place": "on a slate table",
}


def light(text: str, azimuth_deg: float, color_temperature_k: float) -> dict[str, Any]:
    """Return a light with a softbox."""
    source = dict.fromkeys(("color_rgb", "map", "rotation_deg", "turbidity")) | {
        "type": "area",
        "azimuth_deg": azimuth_deg,
        "elevation_deg": 30,
        "size_deg": 12,
        "strength": 1.0,
        "color_temperature_k": color_temperature_k,
    }
    return {"text": text, "sources": [source]}


_WARM, _COOL = light("a warm softbox from the left", -60, 3000), light("cool light from the right", 80, 9000)
_MOTION = {"text": "The camera orbits slowly.", "camera": {"move": "orbit", "amount": 20}, "light_end": None}
_RELIGHT = {"instruction": "Relight the scene with cool light from the right; keep everything else.", "light": _COOL}


def answer(request: dict[str, Any], number: int) -> Reply:
    """Return the answer to a chat completion."""
    schema = json.dumps(request["response_format"])
    if '"relights"' in schema:
        return items({"scene": _SCENE, "light": _WARM, "relights": [_RELIGHT], "motions": []})
    if '"motion"' in schema:
        return items({"scene": _SCENE, "light": _WARM, "motion": _MOTION})
    return items(_RELIGHT if '"instruction"' in schema else _MOTION)
