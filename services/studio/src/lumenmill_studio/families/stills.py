"""Render still pictures: new scenes, and scenes under other lights and from other viewpoints."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.camera_pb2 import Camera
from lumenmill.common.v1.scene_pb2 import SceneDescription, UnknownWords
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.decoding import CLIP_LIMITS, decoding_pool
from lumenmill_common.errors import InvalidArgumentError
from lumenmill_common.jobs import JobContext
from lumenmill_studio.families.arrivals import Arrivals
from lumenmill_studio.families.display import GROUP, PICTURE, DisplayChoice
from lumenmill_studio.families.lighting import Lighting, LightReader
from lumenmill_studio.families.limits import size_of
from lumenmill_studio.families.obstruction import NothingArrivesError, Obstruction
from lumenmill_studio.families.results import Origin, Recorder, put_picture
from lumenmill_studio.light.basis import MAX_BASIS_BYTES, MEDIA_TYPE, Image, Key, packed, unpacked, weighted_sum
from lumenmill_studio.light.sources import MAX_SEPARATE_HARMONICS, num_distinct_harmonics
from lumenmill_studio.presets import Preset, preset_named
from lumenmill_studio.render.camera import pose_of, viewpoint_of
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.view import View, view_of
from lumenmill_studio.scenes.built import built_scene, substitutions_of
from lumenmill_studio.scenes.compose import compose, field_of_light
from lumenmill_studio.scenes.stored import Scene, read_scene, store_scene

__all__ = ["Stills", "given_basis", "parameters", "refuse_path", "render"]

# Seeds have 64 bits and wrap around.
_NUM_SEEDS = 1 << 64


@dataclass(frozen=True)
class Stills:
    """Renders still pictures with one engine."""

    store: ArtifactStore
    engine: Engine
    lights: LightReader
    origin: Origin
    meshes: Mapping[str, Artifact]

    @property
    def _arrivals(self) -> Arrivals:
        return Arrivals(self.engine, self.lights)

    @property
    def _obstruction(self) -> Obstruction:
        return Obstruction(self.engine.visibility, self.lights)

    def generate(self, request: imager_pb2.GenerateImagesRequest, job: JobContext) -> imager_pb2.GenerateImagesResult:
        """Return the pictures of GenerateImages, each of a scene of its own; errors as :meth:`LightReader.read`."""
        refuse_path(request.camera if request.HasField("camera") else None, "camera")
        preset = preset_named(request.preset)
        size_px = size_of(request.width_px, request.height_px, (preset.width_px, preset.height_px))
        choice = DisplayChoice(request.display, PICTURE, Artifact())
        count = request.num_images or 1
        images = []
        for index in range(count):
            job.progress("image", index, count)
            images.append(self._image(request, (request.seed + index) % _NUM_SEEDS, preset, size_px, choice, job))
        return imager_pb2.GenerateImagesResult(images=images)

    def _image(
        self,
        request: imager_pb2.GenerateImagesRequest,
        seed: int,
        preset: Preset,
        size_px: tuple[int, int],
        choice: DisplayChoice,
        job: JobContext,
    ) -> imager_pb2.GeneratedImage:
        with job.stage("build"):
            scene = store_scene(
                self.store,
                compose(
                    request.scene if request.HasField("scene") else SceneDescription(),
                    request.prompt,
                    seed,
                    self.meshes,
                    substitute=request.unknown_words == UnknownWords.UNKNOWN_WORDS_SUBSTITUTE,
                ),
            )
            lighting = self.lights.read(request.light if request.HasField("light") else scene.spec.light(), "light")
            pose = pose_of(
                scene.spec.camera, request.camera.viewpoint if request.camera.HasField("viewpoint") else None
            )
            view = view_of(scene, pose, size_px, preset, open_set=lighting.open_set, backgrounds=lighting.backgrounds)
            lighting = self._obstruction.cleared(view, lighting, job)
            if request.HasField("light"):
                self._obstruction.check([view], lighting.light, "light")
            elif words_field := field_of_light(scene.spec, request.prompt, "scene"):
                self._obstruction.check([view], lighting.light, words_field, is_of_words=True)
        in_hand: dict[Key, Image] = {}
        with job.stage("render"):
            linear = render(self.engine, view, lighting, job, in_hand)
            arrived = self._arrivals.in_picture(view, lighting, job, in_hand)
        with job.stage("encode"):
            transform = choice.transform(linear, [arrived])
            display, stored = put_picture(self.store, linear, transform)
        camera = Camera(viewpoint=viewpoint_of(pose, scene.spec.camera))
        record = Recorder(self.origin, self.lights.licence, job).record(
            preset.name, seed, parameters(view) | choice.parameters(transform), scene.spec, [lighting.light], camera
        )
        record.substitutions.extend(substitutions_of(scene.spec))
        return imager_pb2.GeneratedImage(
            image=display,
            linear=stored,
            scene=scene.artifact,
            light=lighting.light,
            record=record,
            arrived_light=arrived,
            built_scene=self._built(scene, view),
        )

    def _built(self, scene: Scene, view: View) -> SceneDescription:
        return built_scene(scene.spec, [self.engine.buffers(view).instance], view.pose.azimuth_deg)

    def relight(self, request: relighter_pb2.RelightRequest, job: JobContext) -> relighter_pb2.RelightResult:
        """Return the variants of Relight and the light basis that they are mixed from; errors as `LightReader.read`."""
        with job.stage("build"):
            scene = read_scene(self.store, request.scene if request.HasField("scene") else None)
            preset = preset_named(request.preset)
            facts = request.image.image
            default_px = (
                (facts.width_px, facts.height_px)
                if facts.width_px and facts.height_px
                else (preset.width_px, preset.height_px)
            )
            size_px = size_of(request.width_px, request.height_px, default_px)
            choice = DisplayChoice(request.display, GROUP, request.image)
            given = given_basis(self.store, request, scene)
            plans = self._plans(request, scene, preset, size_px, given, job)
        in_hand = dict(given)
        variants = []
        for index, (view, lighting, refusal) in enumerate(plans):
            job.progress("relight", index, len(plans))
            if refusal:
                variants.append(relighter_pb2.RelitImage(light=lighting.light, refusal=refusal))
                continue
            with job.stage("render"):
                linear = render(self.engine, view, lighting, job, in_hand)
                arrived = self._arrivals.in_picture(view, lighting, job, in_hand)
            with job.stage("encode"):
                transform = choice.transform(linear, [arrived])
                display, stored = put_picture(self.store, linear, transform)
            camera = Camera(viewpoint=viewpoint_of(view.pose, scene.spec.camera))
            record = Recorder(self.origin, self.lights.licence, job).record(
                preset.name,
                request.seed,
                parameters(view) | choice.parameters(transform),
                scene.spec,
                [lighting.light],
                camera,
            )
            variants.append(
                relighter_pb2.RelitImage(
                    image=display,
                    linear=stored,
                    light=lighting.light,
                    record=record,
                    arrived_light=arrived,
                    built_scene=self._built(scene, view),
                )
            )
        with job.stage("encode"):
            basis = self._put_basis(request, scene, in_hand, has_new=len(in_hand) > len(given))
        return relighter_pb2.RelightResult(variants=variants, light_basis=basis)

    def _plans(
        self,
        request: relighter_pb2.RelightRequest,
        scene: Scene,
        preset: Preset,
        size_px: tuple[int, int],
        given: Mapping[Key, Image],
        job: JobContext,
    ) -> list[tuple[View, Lighting, str]]:
        """Return view and light of each variant, and why it is refused, empty if it is not."""
        shared = num_distinct_harmonics(variant.light for variant in request.variants) > MAX_SEPARATE_HARMONICS or any(
            '["harmonic",' in unit for _, unit in given
        )
        plans = []
        for index, variant in enumerate(request.variants):
            job.progress("build", index, len(request.variants))
            field = f"variants[{index}]"
            camera = variant.camera if variant.HasField("camera") else None
            refuse_path(camera, f"{field}.camera")
            if not (variant.HasField("light") or camera or variant.HasField("environment")):
                words = "edit_prompt" if variant.edit_prompt else "description"
                raise InvalidArgumentError(
                    f"{field}.{words}", "studio does not edit by words: set `light`, `camera` or `environment`"
                )
            environment = variant.environment if variant.HasField("environment") else None
            is_own = not (variant.HasField("light") or environment)
            light = scene.spec.light() if is_own else variant.light
            lighting = self.lights.read(
                light,
                f"{field}.light",
                environment,
                environment_field=f"{field}.environment",
                shared_harmonics=shared,
            )
            pose = pose_of(scene.spec.camera, camera.viewpoint if camera and camera.HasField("viewpoint") else None)
            view = view_of(scene, pose, size_px, preset, open_set=lighting.open_set, backgrounds=lighting.backgrounds)
            plans.append((view, *self._cleared(view, lighting, f"{field}.light", job, is_own=is_own)))
        return plans

    def _cleared(
        self, view: View, lighting: Lighting, field: str, job: JobContext, *, is_own: bool
    ) -> tuple[Lighting, str]:
        """Return a light as it will be rendered, and why not; the scene's own light is never refused."""
        cleared = self._obstruction.cleared(view, lighting, job)
        try:
            if not is_own:
                self._obstruction.check([view], cleared.light, field)
        except NothingArrivesError as error:
            return lighting, error.message
        return cleared, ""

    def _put_basis(
        self, request: relighter_pb2.RelightRequest, scene: Scene, in_hand: Mapping[Key, Image], *, has_new: bool
    ) -> Artifact:
        """Store the basis of all unit pictures in hand; that of the request is returned if it has them all."""
        if request.light_basis.uri and not has_new:
            sha256 = self.store.sha256_of(request.light_basis, "light_basis")
            stored = self.store.stat(sha256) if self.store.touch(sha256) else None
            if stored is not None and stored.media_type == MEDIA_TYPE:
                return stored
        return self.store.put_bytes(packed(scene.sha256, in_hand.items()), MEDIA_TYPE)


def given_basis(
    store: ArtifactStore, request: relighter_pb2.RelightRequest | video_pb2.GenerateVideoRequest, scene: Scene
) -> dict[Key, Image]:
    """Return the unit pictures of the light basis of a request; empty without one.

    They are valid for this request alone, since nothing proves that they were rendered.

    Raises:
        InvalidArgumentError: it is no light basis of the scene; names ``light_basis``.
    """
    if not request.HasField("light_basis"):
        return {}
    data = store.read_bytes(request.light_basis, field="light_basis", max_bytes=MAX_BASIS_BYTES)
    field = "light_basis"
    return decoding_pool().run(unpacked, data, scene.sha256, field, field=field, limits=CLIP_LIMITS)


def refuse_path(camera: Camera | None, field: str) -> None:
    """Refuse camera moves, which a still picture cannot have.

    Raises:
        InvalidArgumentError: the camera has a path; names it.
    """
    if camera is not None and camera.HasField("path"):
        raise InvalidArgumentError(
            f"{field}.path", "a still picture has no camera move: leave it out or ask for a clip"
        )


def render(
    engine: Engine,
    view: View,
    lighting: Lighting,
    job: JobContext,
    in_hand: MutableMapping[Key, Image],
    *,
    shading: bool = False,
) -> Image:
    """Return the linear picture (H, W, 3) under a light; ``in_hand`` as in :meth:`Engine.picture`."""

    def weighted() -> Iterator[tuple[Image, tuple[float, float, float]]]:
        for index, part in enumerate(lighting.parts):
            job.progress("render", index, len(lighting.parts))
            yield engine.picture(view, part.unit, job.check_cancelled, in_hand, shading=shading), part.weight

    return weighted_sum(weighted())


def parameters(view: View) -> dict[str, Any]:
    """Return the parameters in effect, for records."""
    return {
        "width_px": view.size_px[0],
        "height_px": view.size_px[1],
        "spp": view.spp,
        "max_depth": view.max_depth,
        "guide_spp": view.guide_spp,
    }
