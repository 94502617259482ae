"""The `openai` family as the service loads it: any endpoint that speaks the OpenAI chat protocol."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from google.protobuf import struct_pb2

from lumenmill.common.v1 import artifact_pb2, generation_pb2, light_pb2, model_pb2, scene_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_common.jobs import JobContext, in_worker
from lumenmill_prompter.content import relit_description
from lumenmill_prompter.descriptions import scene_kind_of
from lumenmill_prompter.families.openai_compatible import schema
from lumenmill_prompter.families.openai_compatible.ask import Asker
from lumenmill_prompter.families.openai_compatible.brief import (
    BriefWriter,
    already_written,
    light_rules,
    relight_from,
    task_of,
)
from lumenmill_prompter.families.openai_compatible.duplicates import DuplicateFilter
from lumenmill_prompter.families.openai_compatible.endpoint import Endpoint
from lumenmill_prompter.families.openai_compatible.structure import KIND_OF_TYPE, Allowed, motion_from
from lumenmill_prompter.families.openai_compatible.texts import default_text, filled
from lumenmill_prompter.phrases import light_phrase
from lumenmill_prompter.settings import PrompterSettings

__all__ = ["OpenAIFamily"]

_FAMILY = "openai"
# Of what is made from the answers of a model; 2 has descriptions.
_ANSWERS = 2
_DEFAULT_BATCH_SIZE = 10
_REWRITE_BATCH_SIZE = 20


class OpenAIFamily:
    """Writes prompts through an LLM endpoint."""

    def __init__(self, settings: PrompterSettings) -> None:
        """Keep the settings; the endpoint is opened by `load`."""
        self._settings = settings
        self._endpoint: Endpoint | None = None

    def describe(self) -> model_pb2.Model:
        """Return the model."""
        return model_pb2.Model(
            family=_FAMILY,
            name=self._settings.openai_model,
            revision=self._revision(),
            licences=[self._licence()],
            light_kinds=list(KIND_OF_TYPE.values()),
            supports_camera_path=True,
            supports_light_path=True,
            device=f"endpoint {self._settings.openai_base_url}",
        )

    def load(self) -> None:
        """Open the endpoint.

        Raises:
            FailedPreconditionError: no model is named, or the API key file cannot be read.
        """
        if not self._settings.openai_model:
            raise FailedPreconditionError("set LUMENMILL_OPENAI_MODEL to the model's name at the endpoint")
        self._endpoint = Endpoint(self._settings)

    @in_worker
    def generate_prompt_sets(
        self, request: prompter_pb2.GeneratePromptSetsRequest, job: JobContext
    ) -> prompter_pb2.GeneratePromptSetsResult:
        """Write prompt sets in batches of `prompts_batch_size`, without near-duplicates.

        Raises:
            InvalidArgumentError: a kind of light cannot be written.
            LumenmillError: as Asker and Endpoint.
        """
        brief = request.brief
        allowed = _allowed(brief.light_kinds, brief.environment_maps, "brief.light_kinds")
        asker, fresh = self._asker(job), DuplicateFilter()
        writer = BriefWriter(asker, request, allowed)
        batch_size = brief.prompts_batch_size or _DEFAULT_BATCH_SIZE
        with job.stage("ask"):
            sets = asker.collect(
                brief.num_img_sets, batch_size, writer.ask_sets, lambda item: fresh.admit(item.scene.description)
            )
            videos = asker.collect(
                brief.num_videos, batch_size, writer.ask_videos, lambda item: fresh.admit(item.scene.description)
            )
        for index, prompt_set in enumerate(sets, start=brief.first_set_index):
            prompt_set.id = f"set-{request.seed:x}-{index}"
            prompt_set.scene.seed = _scene_seed(request.seed, index)
        for index, video in enumerate(videos, start=brief.first_set_index):
            video.id = f"video-{request.seed:x}-{index}"
            video.scene.seed = _scene_seed(~request.seed, index)
        return prompter_pb2.GeneratePromptSetsResult(
            prompt_sets=sets,
            video_prompts=videos,
            record=self._record(request.seed, job, {"prompts_batch_size": float(batch_size), "theme": brief.theme}),
            usage=asker.usage.proto(self._settings),
        )

    @in_worker
    def write_edit_prompts(
        self, request: prompter_pb2.WriteEditPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteEditPromptsResult:
        """Write relight instructions for a described picture.

        Raises:
            InvalidArgumentError: a kind of light cannot be written.
            LumenmillError: as Asker and Endpoint.
        """
        allowed = _allowed(request.light_kinds, request.environment_maps, "light_kinds")
        asker, fresh = self._asker(job), DuplicateFilter()
        system = request.background_text or default_text("background")
        text = request.task_text or default_text("relight")
        describe = partial(relit_description, request.description)
        outdoor = scene_kind_of(request.description) == scene_pb2.SCENE_KIND_OUTDOOR

        def ask(num: int, batch: int, known: Sequence[prompter_pb2.RelightPrompt]) -> list[prompter_pb2.RelightPrompt]:
            notes = [light_rules(allowed), already_written([item.light.text for item in known])]
            task = task_of(filled(text, num_variants=num), f"The picture: {request.description}", *notes)
            return asker.items(
                system,
                task,
                schema.RELIGHT,
                lambda item: relight_from(item, allowed, "relight", describe, outdoor=outdoor),
                num,
                request.seed + batch,
            )

        with job.stage("ask"):
            prompts = asker.collect(
                request.num_variants, request.num_variants, ask, lambda item: fresh.admit(item.light.text)
            )
        for number, prompt in enumerate(prompts, start=1):
            prompt.light.name = f"relight-{number}"
        usage = asker.usage.proto(self._settings)
        record = self._record(request.seed, job, {})
        return prompter_pb2.WriteEditPromptsResult(relight_prompts=prompts, record=record, usage=usage)

    @in_worker
    def write_motion_prompts(
        self, request: prompter_pb2.WriteMotionPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteMotionPromptsResult:
        """Write motions for a described picture; light moves start from the request's light.

        Raises:
            LumenmillError: as Asker and Endpoint.
        """
        allowed = Allowed(frozenset(KIND_OF_TYPE) - {"environment_map"}, {})
        asker, fresh = self._asker(job), DuplicateFilter()
        system = request.background_text or default_text("background")
        text = request.task_text or default_text("motion")
        start = request.light if request.HasField("light") else None
        outdoor = scene_kind_of(request.description) == scene_pb2.SCENE_KIND_OUTDOOR
        light_words = start.text or (light_phrase(start) if start.sources else "") if start else ""

        def ask(num: int, batch: int, known: Sequence[prompter_pb2.MotionPrompt]) -> list[prompter_pb2.MotionPrompt]:
            light_note = f"Its light: {light_words}" if light_words else ""
            notes = [light_note, light_rules(allowed), already_written([item.text for item in known])]
            task = task_of(filled(text, num_variants=num), f"The picture: {request.description}", *notes)
            return asker.items(
                system,
                task,
                schema.MOTION,
                lambda item: motion_from(item, start, allowed, outdoor=outdoor),
                num,
                request.seed + batch,
            )

        with job.stage("ask"):
            prompts = asker.collect(
                request.num_variants, request.num_variants, ask, lambda item: fresh.admit(item.text)
            )
        usage = asker.usage.proto(self._settings)
        record = self._record(request.seed, job, {})
        return prompter_pb2.WriteMotionPromptsResult(motion_prompts=prompts, record=record, usage=usage)

    @in_worker
    def rewrite_prompts(
        self, request: prompter_pb2.RewritePromptsRequest, job: JobContext
    ) -> prompter_pb2.RewritePromptsResult:
        """Rewrite prompts one for one, in batches.

        Raises:
            LumenmillError: as Asker and Endpoint.
        """
        asker = self._asker(job)
        instruction = request.instruction or default_text("rewrite")
        rewritten: list[str] = []
        with job.stage("ask"):
            while len(rewritten) < len(request.prompts):
                batch = list(request.prompts[len(rewritten) : len(rewritten) + _REWRITE_BATCH_SIZE])
                rewritten += _rewrite_batch(asker, instruction, batch, request.seed)
                job.progress("ask", len(rewritten), len(request.prompts))
        usage = asker.usage.proto(self._settings)
        record = self._record(request.seed, job, {})
        return prompter_pb2.RewritePromptsResult(prompts=rewritten, record=record, usage=usage)

    def _opened(self) -> Endpoint:
        if self._endpoint is None:
            raise FailedPreconditionError("the endpoint is not open yet")
        return self._endpoint

    def _asker(self, job: JobContext) -> Asker:
        return Asker(self._opened(), job, self._settings.openai_max_repairs, self._settings.openai_concurrency)

    def _licence(self) -> artifact_pb2.Licence:
        return artifact_pb2.Licence(
            subject=self._settings.openai_model,
            spdx_id=self._settings.openai_licence,
            allows_commercial_use=self._settings.openai_allows_commercial_use,
        )

    def _revision(self) -> str:
        """Return what the operator pinned, with what else changes what is written."""
        return f"{self._settings.openai_revision}+temperature{self._settings.openai_temperature:g}+answers{_ANSWERS}"

    def _record(
        self, seed: int, job: JobContext, parameters: Mapping[str, float | str]
    ) -> generation_pb2.GenerationRecord:
        struct = struct_pb2.Struct()
        struct.update({"temperature": self._settings.openai_temperature, **parameters})
        return generation_pb2.GenerationRecord(
            family=_FAMILY,
            model=self._settings.openai_model,
            revision=self._revision(),
            seed=seed,
            parameters=struct,
            stage_times=job.stage_times,
            device=f"endpoint {self._settings.openai_base_url}",
            licences=[self._licence()],
        )


def _allowed(
    kinds: Sequence["light_pb2.LightKind.ValueType"], environment_maps: Sequence[artifact_pb2.Artifact], field: str
) -> Allowed:
    for index, kind in enumerate(kinds):
        if kind not in KIND_OF_TYPE.values():
            name = light_pb2.LightKind.Name(kind)
            raise InvalidArgumentError(f"{field}[{index}]", f"{name} cannot be written as structure by this family")
    maps = {entry.name or entry.sha256[:12]: entry for entry in environment_maps}
    types = {
        name
        for name, kind in KIND_OF_TYPE.items()
        if (not kinds or kind in kinds) and (name != "environment_map" or maps)
    }
    if not types:
        raise InvalidArgumentError(field, "only environment-map light is requested, but no environment maps are named")
    return Allowed(frozenset(types), maps)


def _scene_seed(seed: int, index: int) -> int:
    return (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9) % (1 << 63)


def _rewrite_batch(asker: Asker, instruction: str, batch: Sequence[str], seed: int) -> list[str]:
    """Rewrite texts one for one; those that an answer leaves out are requested again, fewer at a time."""
    numbered = "\n".join(f"{number}. {text}" for number, text in enumerate(batch, start=1))
    task = task_of(f"Rewrite these {len(batch)} texts, one item for each number.", numbered)
    items = asker.items(instruction, task, schema.REWRITTEN, _numbered_text, len(batch), seed)
    if len(batch) == 1:
        return [items[0][1]]
    by_number = dict(items)
    missing = [number for number in range(1, len(batch) + 1) if number not in by_number]
    half = (len(batch) + 1) // 2
    for start in range(0, len(missing), half):
        numbers = missing[start : start + half]
        texts = _rewrite_batch(asker, instruction, [batch[number - 1] for number in numbers], seed)
        by_number.update(zip(numbers, texts, strict=True))
    return [by_number[number] for number in range(1, len(batch) + 1)]


def _numbered_text(item: Mapping[str, Any]) -> tuple[int, str]:
    return int(item["number"]), str(item["text"]).strip()
