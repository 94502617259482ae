"""Parse scenes from JSON, and check them before anything is built from them."""

from lumenmill_common.errors import InvalidArgumentError
from lumenmill_studio.json_text import parsed
from lumenmill_studio.scenes.checks import check_scene
from lumenmill_studio.scenes.spec import FORMAT, VERSION, ObjectSpec, ReferenceCamera, SceneSpec

__all__ = ["scene_from_json"]


def scene_from_json(data: bytes, field_name: str = "scene") -> SceneSpec:
    """Return the scene that :meth:`SceneSpec.to_json` wrote.

    Raises:
        InvalidArgumentError: the bytes are no scene of this version, or the scene cannot be built; names
            ``field_name``.
    """
    try:
        document = parsed(data)
        if document.pop("format") != FORMAT or document.pop("version") != VERSION:
            raise ValueError("not a scene of version 1")
        camera = ReferenceCamera(**document.pop("camera"))
        objects = tuple(ObjectSpec(**{**item, "position": tuple(item["position"])}) for item in document.pop("objects"))
        subjects, materials = tuple(document.pop("subjects")), tuple(document.pop("materials"))
        substitutions = tuple((requested, built) for requested, built in document.pop("substitutions", ()))
        spec = SceneSpec(
            **document,
            camera=camera,
            objects=objects,
            subjects=subjects,
            materials=materials,
            substitutions=substitutions,
        )
        check_scene(spec)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidArgumentError(field_name, f"not a lumenmill scene, version {VERSION}: {error}") from error
    return spec
