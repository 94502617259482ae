"""The studio family: scenes rendered with Mitsuba 3, one renderer for each worker thread."""

import threading

from lumenmill.common.v1 import model_pb2
from lumenmill.common.v1.artifact_pb2 import Artifact
from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill.common.v1.light_pb2 import LightKind
from lumenmill.imager.v1 import imager_pb2
from lumenmill.relighter.v1 import relighter_pb2
from lumenmill.video.v1 import video_pb2
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import UnavailableError
from lumenmill_common.jobs import Work
from lumenmill_common.requests import refuse
from lumenmill_studio.assets import Assets
from lumenmill_studio.families.clips import Clips
from lumenmill_studio.families.decomposition import Decomposition
from lumenmill_studio.families.intrinsics import ALL_KINDS
from lumenmill_studio.families.lighting import LightReader
from lumenmill_studio.families.limits import MAX_BATCH, MAX_NUM_FRAMES, MAX_SIZE_PX, SIZE_MULTIPLE_PX
from lumenmill_studio.families.results import FAMILY, GENERATED, Origin, revision_with
from lumenmill_studio.families.stills import Stills
from lumenmill_studio.presets import PRESETS
from lumenmill_studio.render.engine import Engine
from lumenmill_studio.render.variant import Variant, find_variant, use_variant
from lumenmill_studio.scenes.published import scene_vocabulary
from lumenmill_studio.settings import StudioSettings
from lumenmill_studio.terms import licence_of

__all__ = ["MitsubaScenes"]

_LIGHT_KINDS = (
    LightKind.LIGHT_KIND_ENVIRONMENT_MAP,
    LightKind.LIGHT_KIND_SPHERICAL_HARMONICS,
    LightKind.LIGHT_KIND_SUN_SKY,
    LightKind.LIGHT_KIND_DIRECTIONAL,
    LightKind.LIGHT_KIND_AREA,
    LightKind.LIGHT_KIND_BACKGROUND,
)

_NO_WEIGHTS = (
    ("adapters", "studio renders and has no weights to adapt; leave it empty"),
    ("sampling", "studio does not denoise; choose a preset"),
)


class _Renderer(threading.local):
    """What one worker thread renders with; set by `load` in that thread."""

    stills: Stills
    clips: Clips
    decomposition: Decomposition


class MitsubaScenes:
    """The imager, relighter and video contracts, served by rendering."""

    def __init__(self, settings: StudioSettings, store: ArtifactStore) -> None:
        self._settings, self._store = settings, store
        self._renderer = _Renderer()
        self._variant: Variant | None = None
        self._origin: Origin | None = None
        self._environment_maps: list[Artifact] = []
        self._mesh_names: tuple[str, ...] = ()

    def load(self) -> None:
        """Choose a variant by trying it in a child process, and put the operator's assets into the store.

        Raises:
            FailedPreconditionError: a folder of assets or a file in it cannot be read.
        """
        self._variant = find_variant(self._settings.render_variant, self._settings.llvm_library)
        use_variant(self._variant)
        assets = Assets(self._store, self._settings.environment_maps_dir, self._settings.assets_dir)
        assets.load()
        self._environment_maps, self._mesh_names = assets.environment_maps, tuple(assets.meshes)
        self._origin = Origin(self._variant.device, revision_with(assets.meshes))
        engine, lights = Engine(assets.pixels, assets.parts), LightReader(self._store, assets)
        self._renderer.stills = Stills(self._store, engine, lights, self._origin, assets.meshes)
        self._renderer.clips = Clips(self._store, engine, lights, self._origin, assets.meshes)
        self._renderer.decomposition = Decomposition(self._store, engine, lights, self._origin)

    def generate_images(self, request: imager_pb2.GenerateImagesRequest) -> Work:
        """Return the pictures of new scenes as work.

        Raises:
            InvalidArgumentError: a field is set that rendering does not take.
        """
        refuse(
            request,
            *_NO_WEIGHTS,
            ("identity_image", "studio builds its subjects; describe them"),
            ("control_image", "studio builds its scenes; describe them"),
        )
        return Work(lambda job: self._renderer.stills.generate(request, job))

    def relight(self, request: relighter_pb2.RelightRequest) -> Work:
        """Return the variants of a scene as work; errors as `generate_images`."""
        refuse(request, *_NO_WEIGHTS, ("matte", "studio renders the whole scene; leave it out"))
        return Work(lambda job: self._renderer.stills.relight(request, job))

    def decompose(self, request: relighter_pb2.DecomposeRequest) -> Work:
        """Return the intrinsic maps of a picture as work."""
        return Work(lambda job: self._renderer.decomposition.decompose(request, job))

    def generate_video(self, request: video_pb2.GenerateVideoRequest) -> Work:
        """Return a clip of a scene as work; errors as `generate_images`."""
        refuse(
            request,
            *_NO_WEIGHTS,
            ("control_clip", "studio films scenes; give `scene` or `scene_description`"),
            ("control_mask", "studio films scenes; leave it out"),
            ("reference_images", "studio builds its subjects; describe them"),
        )
        return Work(lambda job: self._renderer.clips.generate(request, job))

    def decompose_video(self, request: video_pb2.DecomposeVideoRequest) -> Work:
        """Return the intrinsic maps of a clip as work."""
        return Work(lambda job: self._renderer.decomposition.decompose_video(request, job))

    def describe(self) -> model_pb2.Model:
        """Return the capabilities of the family on this machine.

        Raises:
            UnavailableError: no worker thread has loaded it yet.
        """
        if self._origin is None:
            raise UnavailableError("the renderer is being loaded")
        model = model_pb2.Model(
            family=FAMILY,
            name=FAMILY,
            revision=self._origin.revision,
            licences=[GENERATED],
            light_kinds=_LIGHT_KINDS,
            intrinsic_kinds=[IntrinsicKind.ValueType(kind) for kind in ALL_KINDS],
            supports_viewpoint=True,
            supports_camera_path=True,
            supports_light_path=True,
            needs_scene=True,
            text_input=model_pb2.TextInput.TEXT_INPUT_DESCRIPTION,
            device=self._origin.device,
            environment_maps=self._environment_maps,
            vocabulary=scene_vocabulary(self._mesh_names),
            limits=model_pb2.ModelLimits(
                max_width_px=MAX_SIZE_PX,
                max_height_px=MAX_SIZE_PX,
                size_multiple_px=SIZE_MULTIPLE_PX,
                max_num_frames=MAX_NUM_FRAMES,
                max_batch_size=MAX_BATCH,
            ),
        )
        for artifact in self._environment_maps:
            # The subject is the name of the map, so that callers know to which map the terms apply.
            model.licences.add().CopyFrom(licence_of(artifact))
            model.licences[-1].subject = artifact.name
        for preset in PRESETS:
            shown = model.presets.add(name=preset.name, description=preset.description)
            shown.parameters.update(preset.model_dump(exclude={"name", "description"}))
        return model
