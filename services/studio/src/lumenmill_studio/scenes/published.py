"""State the vocabulary in the description of the model, for callers that check words before they request them."""

from collections.abc import Collection

from lumenmill.common.v1.scene_pb2 import SceneKindVocabulary, SceneVocabulary
from lumenmill_studio.scenes.synonyms import MATERIAL_SYNONYMS, SYNONYMS
from lumenmill_studio.scenes.vocabulary import KINDS, MATERIAL_WORDS, PLACES, SUBJECTS

__all__ = ["scene_vocabulary"]


def scene_vocabulary(own: Collection[str]) -> SceneVocabulary:
    """Return the words of each kind of scene, with the names of the operator's meshes, which suit every kind."""
    kinds = [
        SceneKindVocabulary(kind=kind, subjects=[*SUBJECTS[name], *sorted(own)], places=PLACES[name])
        for kind, name in KINDS.items()
    ]
    synonyms = {**MATERIAL_SYNONYMS, **{word: meant[0] for word, meant in SYNONYMS.items()}}
    return SceneVocabulary(kinds=kinds, materials=MATERIAL_WORDS, synonyms=synonyms)
