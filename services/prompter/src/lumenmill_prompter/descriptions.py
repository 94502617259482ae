"""What a description in plain words says about its scene."""

import re

from lumenmill.common.v1 import scene_pb2

__all__ = ["scene_kind_of"]

_OUTDOOR_WORDS = re.compile(
    r"\b(?:outdoors?|streets?|gardens?|courtyards?|meadows?|fields?|forests?|trees?|mountains?|beach(?:es)?|deserts?|"
    r"lawns?|parks?|rivers?|lakes?|sea|ruins|hills?|square|terrace|sky|clouds?|road|villages?|harbou?r|plain)\b",
    re.IGNORECASE,
)
_INDOOR_WORDS = re.compile(
    r"\b(?:indoors?|rooms?|kitchens?|studios?|tables?|shelf|shelves|walls?|backdrop|gallery|desk|lamp|interior|attic|"
    r"hall|counter|ceiling|curtains?)\b",
    re.IGNORECASE,
)


_ROOM_WORDS = re.compile(
    r"\bin (?:a|an|the) (?:[\w-]+ ){0,3}(?:room|loft|gallery|study|kitchen|hall|attic|interior)\b", re.I
)
_PORTRAIT_WORDS = re.compile(r"\b(?:backdrop|niche|plinth in a gallery|portrait)\b", re.IGNORECASE)


def scene_kind_of(description: str) -> "scene_pb2.SceneKind.ValueType":
    """Return the kind of scene that a description places its subject in; a still life where it does not say."""
    if len(_OUTDOOR_WORDS.findall(description)) > len(_INDOOR_WORDS.findall(description)):
        return scene_pb2.SCENE_KIND_OUTDOOR
    if _PORTRAIT_WORDS.search(description):
        return scene_pb2.SCENE_KIND_PORTRAIT
    return scene_pb2.SCENE_KIND_ROOM if _ROOM_WORDS.search(description) else scene_pb2.SCENE_KIND_STILL_LIFE
