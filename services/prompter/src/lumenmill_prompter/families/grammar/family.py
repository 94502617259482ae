"""The `grammar` family as the service loads it."""

from collections.abc import Mapping, Sequence

from google.protobuf import struct_pb2

from lumenmill.common.v1 import artifact_pb2, camera_pb2, generation_pb2, light_pb2, model_pb2
from lumenmill.prompter.v1 import prompter_pb2
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext, in_worker
from lumenmill_prompter.content import relit_description
from lumenmill_prompter.descriptions import scene_kind_of
from lumenmill_prompter.families.grammar.lexicon import lexicon
from lumenmill_prompter.families.grammar.light_space import TEXT, WRITABLE_KINDS, LightSpace, light_space
from lumenmill_prompter.families.grammar.lights import finish_light, write_light
from lumenmill_prompter.families.grammar.numbers import Choice, lattice_point
from lumenmill_prompter.families.grammar.sentences import main_thing, plain_rewrite, relight_instruction
from lumenmill_prompter.families.grammar.sets import SetWriter, check_light_kinds, motions
from lumenmill_prompter.families.grammar.variants import relight_variants

__all__ = ["GrammarFamily"]

_FAMILY = "grammar"
_REVISION = "1.4.0"
_STREAM_EDITS, _STREAM_MOTIONS = 101, 102
# Every fourth edit also requests another viewpoint; relights of prompt sets never do, so that a light group shares its
# geometry.
_VIEWPOINT_EVERY = 4
_PROGRESS_EVERY = 256
# A result is one message; the service and its callers take messages up to 32 MiB.
_MAX_RESULT_BYTES = 30 << 20


class GrammarFamily:
    """Writes prompts by rule: the same request and seed give the same text."""

    def describe(self) -> model_pb2.Model:
        """Return the model."""
        return model_pb2.Model(
            family=_FAMILY,
            name=_FAMILY,
            revision=_REVISION,
            licences=[_licence()],
            light_kinds=[*WRITABLE_KINDS, TEXT],
            supports_viewpoint=True,
            supports_camera_path=True,
            supports_light_path=True,
            device="cpu",
        )

    def load(self) -> None:
        """Read the lexicon."""
        lexicon()

    @in_worker
    def generate_prompt_sets(
        self, request: prompter_pb2.GeneratePromptSetsRequest, job: JobContext
    ) -> prompter_pb2.GeneratePromptSetsResult:
        """Write `num_img_sets` sets and `num_videos` video prompts, from `first_set_index` on.

        Raises:
            InvalidArgumentError: for a task text, a theme or a kind of light that the grammar does not support.
        """
        brief = request.brief
        for name in ("background_text", "edit_task_text", "t2v_task_text"):
            _refuse_text(f"brief.{name}", getattr(brief, name))
        result = prompter_pb2.GeneratePromptSetsResult()
        with job.stage("write"):
            writer = SetWriter(brief, request.seed)
            total = brief.num_img_sets + brief.num_videos
            for step in range(total):
                if step % _PROGRESS_EVERY == 0:
                    job.progress("write", step, total)
                    _refuse_overflow(result, step, total)
                index = step if step < brief.num_img_sets else step - brief.num_img_sets
                if step < brief.num_img_sets:
                    result.prompt_sets.append(writer.prompt_set(brief.first_set_index + index))
                else:
                    result.video_prompts.append(writer.video_prompt(brief.first_set_index + index))
        parameters: dict[str, float | str | bool] = {
            "first_set_index": float(brief.first_set_index),
            "theme": brief.theme,
        }
        result.record.CopyFrom(_record(request.seed, job, parameters))
        return result

    @in_worker
    def write_edit_prompts(
        self, request: prompter_pb2.WriteEditPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteEditPromptsResult:
        """Write relight instructions that differ clearly; every fourth also moves the camera.

        Raises:
            InvalidArgumentError: for a task text or a kind of light that the grammar does not support.
        """
        _refuse_text("background_text", request.background_text)
        _refuse_text("task_text", request.task_text)
        check_light_kinds(request.light_kinds, len(request.environment_maps), "light_kinds")
        with job.stage("write"):
            space = _space_for(request.description, request.light_kinds, request.environment_maps)
            choice = Choice(request.seed, _STREAM_EDITS, len(request.description))
            point = lattice_point(request.seed, _STREAM_EDITS, len(request.description))
            about = main_thing(request.description, tuple(lexicon().subjects))
            prompts = [
                _edit(number, variant.light, request.description, about, choice)
                for number, variant in enumerate(relight_variants(point, None, request.num_variants, space, choice), 1)
            ]
        record = _record(request.seed, job, {"outdoor": space.outdoor})
        return prompter_pb2.WriteEditPromptsResult(relight_prompts=prompts, record=record)

    @in_worker
    def write_motion_prompts(
        self, request: prompter_pb2.WriteMotionPromptsRequest, job: JobContext
    ) -> prompter_pb2.WriteMotionPromptsResult:
        """Write camera and light moves alternately; light moves start from the request's light or a generated one.

        Raises:
            InvalidArgumentError: for a task text, which the grammar does not support.
        """
        _refuse_text("background_text", request.background_text)
        _refuse_text("task_text", request.task_text)
        with job.stage("write"):
            choice = Choice(request.seed, _STREAM_MOTIONS, len(request.description))
            space = _space_for(request.description, (), ())
            if request.HasField("light"):
                light = light_pb2.Light()
                light.CopyFrom(request.light)
                if light.sources and not light.attributes.kinds:
                    finish_light(light, 0, space.outdoor)
                    light.text, light.name = request.light.text or light.text, request.light.name or light.name
            else:
                point = lattice_point(request.seed, _STREAM_MOTIONS, len(request.description))
                light = write_light(point, space, choice.bits())
            about = main_thing(request.description, tuple(lexicon().subjects)) or "the subject"
            prompts = motions(light, about, request.num_variants, choice, space.surroundings)
        record = _record(request.seed, job, {"outdoor": space.outdoor})
        return prompter_pb2.WriteMotionPromptsResult(motion_prompts=prompts, record=record)

    @in_worker
    def rewrite_prompts(
        self, request: prompter_pb2.RewritePromptsRequest, job: JobContext
    ) -> prompter_pb2.RewritePromptsResult:
        """Rewrite by the default instruction's rules.

        Raises:
            InvalidArgumentError: an instruction is given, which the grammar does not support.
        """
        _refuse_text("instruction", request.instruction)
        with job.stage("rewrite"):
            prompts = []
            for step, prompt in enumerate(request.prompts):
                job.progress("rewrite", step, len(request.prompts))
                prompts.append(plain_rewrite(prompt))
        return prompter_pb2.RewritePromptsResult(prompts=prompts, record=_record(request.seed, job, {}))


def _space_for(
    description: str,
    kinds: Sequence["light_pb2.LightKind.ValueType"],
    environment_maps: Sequence[artifact_pb2.Artifact],
) -> LightSpace:
    space = light_space(scene_kind_of(description), kinds, environment_maps)
    if space is None:
        raise InvalidArgumentError("light_kinds", "none of these kinds of light can be written for this request")
    return space.at(description)


def _edit(
    variant: int, light: light_pb2.Light, description: str, about: str, choice: Choice
) -> prompter_pb2.RelightPrompt:
    prompt = prompter_pb2.RelightPrompt(
        text=relight_instruction(light.text, about, choice),
        light=light,
        description=relit_description(description, light.text),
    )
    if variant % _VIEWPOINT_EVERY == 0:
        azimuth = float(choice.pick((-35, -25, 25, 35)))
        prompt.camera.viewpoint.CopyFrom(camera_pb2.Viewpoint(azimuth_deg=azimuth))
        side = "right" if azimuth > 0 else "left"
        prompt.text += f" Show it from a viewpoint {abs(round(azimuth))} degrees further to the {side}."
    return prompt


def _refuse_text(field: str, text: str) -> None:
    if text.strip():
        raise InvalidArgumentError(
            field, "the grammar family ignores free text; leave this empty, or use a model of the `openai` family"
        )


def _refuse_overflow(result: prompter_pb2.GeneratePromptSetsResult, step: int, total: int) -> None:
    """Refuse a brief whose result would not fit into one message, as soon as that can be estimated."""
    if not step:
        return
    bytes_each = result.ByteSize() / step
    if bytes_each * total > _MAX_RESULT_BYTES:
        most = int(_MAX_RESULT_BYTES / bytes_each / 1.1)
        raise InvalidArgumentError(
            "brief.num_img_sets",
            f"{total} sets do not fit into one response; request at most {most} at a time and continue with "
            "first_set_index",
        )


def _licence() -> artifact_pb2.Licence:
    return artifact_pb2.Licence(subject="lumenmill grammar", spdx_id="Apache-2.0", allows_commercial_use=True)


def _record(
    seed: int, job: JobContext, parameters: Mapping[str, float | str | bool]
) -> generation_pb2.GenerationRecord:
    struct = struct_pb2.Struct()
    struct.update(dict(parameters))
    return generation_pb2.GenerationRecord(
        family=_FAMILY,
        model=_FAMILY,
        revision=_REVISION,
        seed=seed,
        parameters=struct,
        stage_times=job.stage_times,
        device="cpu",
        licences=[_licence()],
    )
