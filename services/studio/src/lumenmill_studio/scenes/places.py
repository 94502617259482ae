"""Say the place of a scene by what can be seen of its set: a window that is out of the picture is not mentioned."""

from lumenmill_studio.scenes.vocabulary import PORTRAIT, ROOM, STILL_LIFE

__all__ = ["place_shown"]

_WINDOW = " by a window"
# Rooms whose name says more than their walls and floor show.
_ROOMS = {
    "in an attic": "in a white plaster room",
    "in a tiled kitchen": "in a white plaster room with a checkered floor",
    "in a panelled study": "in a wood-panelled room",
}
_FLOORS = {
    "in a warm plaster room": "on a terracotta tiled floor",
    "in a concrete gallery": "on a concrete floor",
    "in a tiled kitchen": "on a checkered floor",
    "in a stone hall": "on a stone floor",
}
# What must be seen of a land to call it so, and what it is called otherwise.
_NEEDED_OUTDOORS = {
    "in a courtyard": "wall",
    "in a walled garden": "wall",
    "on a beach": "sea",
    "in a desert": "hills",
    "among ruins": "ruins",
}
_GROUNDS = {
    "in a courtyard": "on stone paving",
    "in a walled garden": "on a lawn",
    "on a beach": "on sand",
    "in a desert": "on sand",
    "among ruins": "on bare ground",
}


def place_shown(kind: str, place: str, pieces: frozenset[str]) -> str:
    """Return the words for a place of a kind of scene, given the names of the pieces of its set that are visible.

    Empty if nothing of it is.
    """
    if kind == STILL_LIFE:
        return _table(place, pieces)
    if kind == ROOM:
        return _room(place, pieces)
    if kind == PORTRAIT:
        return _surroundings_of_portrait(place, pieces)
    return _land(place, pieces)


def _table(place: str, pieces: frozenset[str]) -> str:
    if _WINDOW in place and "window" not in pieces:
        place = place.removesuffix(_WINDOW)
    if "linen" in place and "cloth" not in pieces:
        place = place.replace("a linen cloth", "an oak table")
    return place if {"table", "cloth"} & pieces else ""


def _room(place: str, pieces: frozenset[str]) -> str:
    if "walls" in pieces:
        shown = _ROOMS.get(place, place)
        return f"{shown} with ceiling beams" if "beams" in pieces else shown
    return _FLOORS.get(place, "on a wooden floor") if "floor" in pieces else ""


def _surroundings_of_portrait(place: str, pieces: frozenset[str]) -> str:
    if "gallery" not in place:
        return place if {"backdrop", "niche"} & pieces else ""
    if "wall" not in pieces:
        return "on a plinth" if "plinth" in pieces else ""
    return place if "plinth" in pieces else "before a white wall"


def _land(place: str, pieces: frozenset[str]) -> str:
    if not {"ground", "grass"} & pieces:
        return ""
    needed = _NEEDED_OUTDOORS.get(place)
    return place if needed is None or needed in pieces else _GROUNDS[place]
