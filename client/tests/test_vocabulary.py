"""Words are looked up as subjects, materials, places and synonyms of a vocabulary."""

from lumenmill.common.v1.scene_pb2 import SceneKind, SceneVocabulary
from lumenmill_client.command._vocabulary import find_word

KNOWN = SceneVocabulary(materials=["oak", "copper"], synonyms={"pitcher": "jug", "wooden": "oak"})
KNOWN.kinds.add(kind=SceneKind.SCENE_KIND_STILL_LIFE, subjects=["jug", "bowl"], places=["on an oak table"])
KNOWN.kinds.add(kind=SceneKind.SCENE_KIND_ROOM, subjects=["bowl", "table"], places=["in a blue room"])


def test_a_word_is_found_in_each_role_that_it_has() -> None:
    assert find_word(KNOWN, "Bowls").kinds == ("still life", "room")
    oak = find_word(KNOWN, "oak")
    assert oak.is_material and oak.places == ("on an oak table",) and not oak.kinds
    assert find_word(KNOWN, "in a blue  room").places == ("in a blue room",)
    assert find_word(KNOWN, "natural").is_material


def test_a_synonym_becomes_the_word_that_it_means() -> None:
    assert find_word(KNOWN, "pitchers").meaning == "jug"
    assert find_word(KNOWN, "wooden").is_material


def test_an_unknown_word_has_the_nearest_ones() -> None:
    boot = find_word(KNOWN, "boot")
    assert not boot.can_be_drawn and "bowl" in boot.nearest
    assert boot.as_dict()["can_be_drawn"] is False
