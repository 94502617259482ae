"""The tasks that are sent for a brief, and the protos built from the answers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lumenmill.common.v1 import light_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_light.english import capitalised
from lumenmill_prompter.families.openai_compatible import schema
from lumenmill_prompter.families.openai_compatible.ask import Asker
from lumenmill_prompter.families.openai_compatible.structure import (
    Allowed,
    AnswerError,
    light_from,
    motion_from,
    scene_from,
)
from lumenmill_prompter.families.openai_compatible.texts import default_text, filled

__all__ = ["BriefWriter", "already_written", "light_rules", "relight_from", "task_of"]

# Earlier descriptions that are listed in a task; more would cost tokens without helping.
_NUM_LISTED_DESCRIPTIONS = 30


class BriefWriter:
    """Requests the sets and videos of one brief."""

    def __init__(self, asker: Asker, request: prompter_pb2.GeneratePromptSetsRequest, allowed: Allowed) -> None:
        self._asker, self._brief, self._allowed = asker, request.brief, allowed
        self._seed = request.seed + request.brief.first_set_index
        self._system = request.brief.background_text or default_text("background")

    def ask_sets(self, num: int, batch: int, known: Sequence[prompter_pb2.PromptSet]) -> list[prompter_pb2.PromptSet]:
        """Ask for image sets."""
        brief = self._brief
        text = filled(
            brief.edit_task_text or default_text("edit_task"),
            num_sets=num,
            num_relight_variants=brief.num_relight_variants,
            num_video_variants=brief.num_video_variants,
        )
        task = task_of(text, *self._notes([item.scene.description for item in known]))
        return self._asker.items(self._system, task, schema.PROMPT_SET, self._set, num, self._seed + batch)

    def ask_videos(
        self, num: int, batch: int, known: Sequence[prompter_pb2.VideoPrompt]
    ) -> list[prompter_pb2.VideoPrompt]:
        """Ask for text-to-video prompts."""
        text = filled(self._brief.t2v_task_text or default_text("t2v_task"), num_sets=num)
        task = task_of(text, *self._notes([item.scene.description for item in known]))
        return self._asker.items(self._system, task, schema.VIDEO_PROMPT, self._video, num, self._seed + batch)

    def _notes(self, known: Sequence[str]) -> list[str]:
        kinds = [scene_pb2.SceneKind.Name(kind).removeprefix("SCENE_KIND_").lower() for kind in self._brief.scene_kinds]
        return [
            f"Theme: {self._brief.theme}" if self._brief.theme else "",
            f"Kinds of scenes: {', '.join(kinds)}." if kinds else "",
            light_rules(self._allowed),
            already_written(known),
        ]

    def _set(self, item: Mapping[str, Any]) -> prompter_pb2.PromptSet:
        scene, light = self._scene_and_light(item)
        outdoor = scene.kind == scene_pb2.SCENE_KIND_OUTDOOR
        relights = [
            relight_from(
                entry, self._allowed, f"relight-{n}", partial(_image_prompt, scene.description), outdoor=outdoor
            )
            for n, entry in enumerate(item["relights"], start=1)
        ]
        _check_count("relights", len(relights), self._brief.num_relight_variants)
        _check_count("motions", len(item["motions"]), self._brief.num_video_variants)
        motions = [motion_from(entry, light, self._allowed, outdoor=outdoor) for entry in item["motions"]]
        return prompter_pb2.PromptSet(
            image_prompt=_image_prompt(scene.description, light.text),
            scene=scene,
            light=light,
            relight_prompts=relights[: self._brief.num_relight_variants],
            motion_prompts=motions[: self._brief.num_video_variants],
        )

    def _video(self, item: Mapping[str, Any]) -> prompter_pb2.VideoPrompt:
        scene, light = self._scene_and_light(item)
        outdoor = scene.kind == scene_pb2.SCENE_KIND_OUTDOOR
        motion = motion_from(item["motion"], light, self._allowed, outdoor=outdoor)
        text = f"{_image_prompt(scene.description, light.text)} {motion.text}"
        return prompter_pb2.VideoPrompt(text=text, scene=scene, light=light, motion=motion)

    def _scene_and_light(self, item: Mapping[str, Any]) -> tuple[scene_pb2.SceneDescription, light_pb2.Light]:
        scene = scene_from(item["scene"], seed=0)
        if self._brief.scene_kinds and scene.kind not in self._brief.scene_kinds:
            raise AnswerError(f"scene kind {item['scene']['kind']!r} was not requested")
        outdoor = scene.kind == scene_pb2.SCENE_KIND_OUTDOOR
        return scene, light_from(item["light"], self._allowed, "original", outdoor=outdoor)


def light_rules(allowed: Allowed) -> str:
    """Return the sentence that lists the sources and maps that may be used."""
    rules = f"Types of light sources you may use: {', '.join(sorted(allowed.source_types))}."
    if "environment_map" in allowed.source_types:
        rules += f" Environment maps by name: {', '.join(sorted(allowed.maps))}."
    return rules


def already_written(descriptions: Sequence[str]) -> str:
    """Return the paragraph that lists what must not be written again."""
    if not descriptions:
        return ""
    return "Already written, write nothing like these:\n" + "\n".join(
        f"- {text}" for text in descriptions[-_NUM_LISTED_DESCRIPTIONS:]
    )


def task_of(*parts: str) -> str:
    """Join the parts that are not empty into one task."""
    return "\n\n".join(part for part in parts if part)


def relight_from(
    item: Mapping[str, Any], allowed: Allowed, name: str, describe: Callable[[str], str], *, outdoor: bool = False
) -> prompter_pb2.RelightPrompt:
    """Return one relight instruction; `describe` returns what the picture shows under a light, given its text.

    Raises:
        AnswerError: as `light_from`.
    """
    light = light_from(item["light"], allowed, name, outdoor=outdoor)
    return prompter_pb2.RelightPrompt(text=item["instruction"].strip(), light=light, description=describe(light.text))


def _check_count(name: str, num: int, num_requested: int) -> None:
    if num < num_requested:
        raise AnswerError(f"{num} {name}, but {num_requested} are required")


def _image_prompt(scene: str, light_text: str) -> str:
    return f"{capitalised(scene)}, lit by {light_text}."
