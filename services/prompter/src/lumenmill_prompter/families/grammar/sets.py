"""Prompt sets: the `index`-th set of a brief and a seed is always the same."""

from collections.abc import Iterator, Sequence

from lumenmill.common.v1 import light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_light.english import capitalised
from lumenmill_prompter.families.grammar.lexicon import lexicon, scene_spaces
from lumenmill_prompter.families.grammar.light_space import TEXT, WRITABLE_KINDS, LightSpace, light_space
from lumenmill_prompter.families.grammar.lights import Rig, completed, draft_light, finished
from lumenmill_prompter.families.grammar.motions import camera_motion, light_motion
from lumenmill_prompter.families.grammar.numbers import Choice, lattice_point, mix
from lumenmill_prompter.families.grammar.scenes import SceneWriter
from lumenmill_prompter.families.grammar.sentences import relight_instruction
from lumenmill_prompter.families.grammar.surroundings import Surroundings
from lumenmill_prompter.families.grammar.variants import relight_variants

__all__ = ["SetWriter", "check_light_kinds", "grammar_lights", "motions"]

_IMAGES, _VIDEOS = 1, 2


def check_light_kinds(kinds: Sequence["light_pb2.LightKind.ValueType"], num_maps: int, field: str) -> None:
    """Refuse kinds of light that the grammar cannot write.

    Raises:
        InvalidArgumentError: naming `field`; background light needs a picture, environment-map light needs maps.
    """
    for index, kind in enumerate(kinds):
        if kind not in (*WRITABLE_KINDS, TEXT):
            writable = ", ".join(light_pb2.LightKind.Name(known) for known in (*WRITABLE_KINDS, TEXT))
            name = light_pb2.LightKind.Name(kind)
            raise InvalidArgumentError(f"{field}[{index}]", f"the grammar cannot write {name}; it writes {writable}")
    if set(kinds) == {light_pb2.LIGHT_KIND_ENVIRONMENT_MAP} and not num_maps:
        raise InvalidArgumentError(
            field, "only environment-map light is requested, but no environment maps are named; name some or add a kind"
        )


class SetWriter:
    """Writes the sets of one brief and seed."""

    def __init__(self, brief: prompter_pb2.Brief, seed: int) -> None:
        """Prepare scene and light spaces.

        Raises:
            InvalidArgumentError: the brief names a theme or a kind of light that the grammar does not support.
        """
        check_light_kinds(brief.light_kinds, len(brief.environment_maps), "brief.light_kinds")
        self._seed = seed
        self._states = {stream: mix(seed, stream) for stream in (_IMAGES, _VIDEOS)}
        self._brief = brief
        fixed = {name: entry.noun_phrase for name, entry in lexicon().subjects.items() if entry.noun_phrase}
        self._rows: list[tuple[dict[int, SceneWriter], LightSpace]] = []
        self._space_of_place: dict[str, LightSpace] = {}
        for space in scene_spaces(tuple(brief.scene_kinds), brief.theme):
            lights = light_space(space.kind, brief.light_kinds, brief.environment_maps)
            if lights is not None:
                writers = {stream: SceneWriter(space, fixed, mix(seed, stream)) for stream in (_IMAGES, _VIDEOS)}
                self._rows.append((writers, lights))

    def prompt_set(self, index: int) -> prompter_pb2.PromptSet:
        """Return image set `index`."""
        brief = self._brief
        scene, rig, light, template, space, point = self._scene_and_light(_IMAGES, index)
        about = f"the {scene.subjects[0]}"
        choice = Choice(index, state=self._states[_IMAGES])
        relights = [
            prompter_pb2.RelightPrompt(
                text=relight_instruction(other.light.text, about, choice, other.change_ev),
                light=other.light,
                description=_sentence(template, scene.description, other.light.text),
            )
            for other in relight_variants(point, rig, brief.num_relight_variants, space, choice)
        ]
        return prompter_pb2.PromptSet(
            id=f"set-{self._seed:x}-{index}",
            image_prompt=_sentence(template, scene.description, light.text),
            scene=scene,
            light=light,
            relight_prompts=relights,
            motion_prompts=motions(light, about, brief.num_video_variants, choice, space.surroundings),
        )

    def video_prompt(self, index: int) -> prompter_pb2.VideoPrompt:
        """Return text-to-video prompt `index`."""
        scene, _, light, template, space, _ = self._scene_and_light(_VIDEOS, index)
        choice = Choice(index, state=self._states[_VIDEOS])
        motion = motions(light, f"the {scene.subjects[0]}", 1, choice, space.surroundings)[0]
        return prompter_pb2.VideoPrompt(
            id=f"video-{self._seed:x}-{index}",
            text=f"{_sentence(template, scene.description, light.text)} {motion.text}",
            scene=scene,
            light=light,
            motion=motion,
        )

    def _space_at(self, allowed: LightSpace, place: str) -> LightSpace:
        found = self._space_of_place.get(place)
        if found is None:
            found = self._space_of_place[place] = allowed.at(place)
        return found

    def _scene_and_light(
        self, stream: int, index: int
    ) -> tuple[scene_pb2.SceneDescription, Rig, light_pb2.Light, str, LightSpace, list[float]]:
        position, row = divmod(index, len(self._rows))
        writers, allowed = self._rows[row]
        scene, template = writers[stream].scene(position)
        space = self._space_at(allowed, scene.place)
        point = lattice_point(self._seed, stream * 16 + row, position)
        wording = mix(index, state=self._states[stream])
        rig = completed(draft_light(point, space, wording), space)
        return scene, rig, finished(rig, space, wording), template, space, point


def motions(
    light: light_pb2.Light, about: str, num: int, choice: Choice, around: Surroundings
) -> list[prompter_pb2.MotionPrompt]:
    """Return `num` motions, camera and light alternately, so that two or more have one of each.

    A light without sources cannot move, so that all of them are camera moves then.
    """
    first = choice.bits() & 1 if num else 0
    written = []
    for variant in range(num):
        moved_light = light_motion(light, choice, around) if (variant + first) % 2 else None
        written.append(moved_light or camera_motion(about, choice, around.outdoor))
    return written


def _sentence(template: str, scene: str, light: str) -> str:
    return template.format(s=scene, S=capitalised(scene), light=light)


def grammar_lights(brief: prompter_pb2.Brief, seed: int, num_sets: int) -> Iterator[light_pb2.Light]:
    """Yield the lights of the first `num_sets` image sets of a brief, relight variants included."""
    writer = SetWriter(brief, seed)
    for index in range(num_sets):
        prompt_set = writer.prompt_set(index)
        yield prompt_set.light
        for relight in prompt_set.relight_prompts:
            yield relight.light
