"""What every request of the studio family needs first: its scene, its size, its light made concrete."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill.common.v1.light_pb2 import BackgroundLight, EnvironmentMapLight, Light, LightSource
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_light.attributes import attributes

from lumenmill_studio.assets import Array, Assets
from lumenmill_studio.families.limits import MAX_FPS, MAX_SIZE_PX, MIN_FPS, SIZE_MULTIPLE_PX
from lumenmill_studio.light.description import described
from lumenmill_studio.light.sources import Weighted, is_dark, resolved
from lumenmill_studio.scenes.reading import scene_from_json
from lumenmill_studio.scenes.spec import MEDIA_TYPE, SceneSpec

_MAX_SCENE_BYTES = 4 << 20


@dataclass(frozen=True)
class Scene:
    """A scene with its canonical bytes and artifact."""

    spec: SceneSpec
    data: bytes
    artifact: Artifact

    @property
    def sha256(self) -> str:
        """Digest of the scene's bytes."""
        return self.artifact.sha256


@dataclass(frozen=True)
class Lighting:
    """A light as it will be rendered: its sources, their unit parts, and whether and by what the set is opened."""

    light: Light
    parts: Sequence[Weighted]
    open_set: bool = False
    backgrounds: tuple[tuple[str, float], ...] = field(default=())


def stored_scene(store: ArtifactStore, spec: SceneSpec) -> Scene:
    """The scene, put into the store."""
    data = spec.to_json()
    return Scene(spec, data, store.put_bytes(data, MEDIA_TYPE))


def read_scene(store: ArtifactStore, artifact: Artifact | None, field_name: str = "scene") -> Scene:
    """The scene of a request.

    Raises:
        FailedPreconditionError: there is none.
        InvalidArgumentError: it is no scene.
    """
    if artifact is None or not (artifact.uri or artifact.HasField("inline_data")):
        raise FailedPreconditionError(
            "studio relights and decomposes only what it rendered: give the scene artifact that came with the image",
            field_name,
        )
    data = store.read_bytes(artifact, field=field_name, max_bytes=_MAX_SCENE_BYTES)
    spec = scene_from_json(data, field_name)
    if not artifact.uri:
        return Scene(spec, data, store.put_bytes(data, MEDIA_TYPE, sha256=artifact.sha256))
    sha256 = store.sha256_of(artifact, field_name)
    known = Artifact(uri=artifact.uri, sha256=sha256, media_type=MEDIA_TYPE, size_bytes=len(data))
    return Scene(spec, data, known)


def fps_of(fps: float, default_fps: float, field_name: str) -> float:
    """Frames per second in effect.

    Raises:
        InvalidArgumentError: beyond what a clip can say; names ``field_name``.
    """
    if fps and not MIN_FPS <= fps <= MAX_FPS:
        raise InvalidArgumentError(field_name, f"is {fps:g}; must be between {MIN_FPS:g} and {MAX_FPS:g}")
    return fps or default_fps


def size_of(width_px: int, height_px: int, default_px: tuple[int, int], field_name: str = "") -> tuple[int, int]:
    """Width and height in effect; one alone keeps the default's shape.

    Raises:
        InvalidArgumentError: beyond the limits; names ``field_name``, or else ``width_px`` or ``height_px``.
    """
    width, height = default_px
    if width_px and height_px:
        width, height = width_px, height_px
    elif width_px:
        width, height = width_px, _even(width_px * height / width)
    elif height_px:
        width, height = _even(height_px * width / height), height_px
    for name, value in (("width_px", width), ("height_px", height)):
        if value < 16 or value > MAX_SIZE_PX or value % SIZE_MULTIPLE_PX:
            problem = f"is {value}; must be even and between 16 and {MAX_SIZE_PX}"
            raise InvalidArgumentError(field_name or name, f"{name} {problem}" if field_name else problem)
    return width, height


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)


class LightReader:
    """Makes lights concrete: assets read and stored, words and attributes filled in."""

    def __init__(self, store: ArtifactStore, assets: Assets) -> None:
        self._store, self._assets = store, assets

    def read(
        self,
        light: Light,
        field_name: str,
        environment: Artifact | None = None,
        *,
        environment_field: str = "environment",
        shared_harmonics: bool = False,
        may_be_dark: bool = False,
    ) -> Lighting:
        """The light, and the environment that is to be seen as well as felt, ready to render.

        Raises:
            InvalidArgumentError: no sources, an asset that cannot be read, or sources that all give no light, unless
                it ``may_be_dark``; names the field.
        """
        whole = Light()
        whole.CopyFrom(light)
        open_set = environment is not None
        if environment is not None:
            stored = self._stored(environment, environment_field)
            panorama = self._assets.fetch(stored, environment_field)[1]
            whole.sources.append(
                LightSource(environment_map=EnvironmentMapLight(map=stored))
                if panorama
                else LightSource(background=BackgroundLight(image=stored))
            )
        backgrounds: dict[str, float] = {}
        for index, source in enumerate(whole.sources):
            self._read_asset(source, f"{field_name}.sources[{index}]", backgrounds)
        parts = resolved(whole, field_name, shared_harmonics)
        if not may_be_dark and is_dark(whole, parts):
            raise InvalidArgumentError(f"{field_name}.sources", "give no light at all, so that the picture were black")
        if not whole.text or environment is not None:
            whole.text = described(whole, self._radiance)
        if not whole.HasField("attributes"):
            whole.attributes.CopyFrom(attributes(whole, radiance_of=self._radiance))
        return Lighting(whole, parts, open_set, tuple(sorted(backgrounds.items())))

    def licence(self, artifact: Artifact) -> Licence:
        """The terms of a map, a picture or a mesh that came from outside."""
        return self._assets.licence(artifact)

    def _read_asset(self, source: LightSource, field_name: str, backgrounds: dict[str, float]) -> None:
        if source.HasField("environment_map"):
            field_name += ".environment_map.map"
            source.environment_map.map.CopyFrom(self._stored(source.environment_map.map, field_name))
            image, _ = self._assets.fetch(source.environment_map.map, field_name)
            _refuse_black(image, field_name)
        elif source.HasField("background"):
            field_name += ".background.image"
            source.background.image.CopyFrom(self._stored(source.background.image, field_name))
            image, _ = self._assets.fetch(source.background.image, field_name)
            _refuse_black(image, field_name)
            backgrounds[source.background.image.sha256] = image.shape[0] / image.shape[1]

    def _radiance(self, artifact: Artifact) -> Array:
        return self._assets.pixels(artifact.sha256)

    def _stored(self, artifact: Artifact, field_name: str) -> Artifact:
        if artifact.uri and not artifact.HasField("inline_data"):
            stored = Artifact()
            stored.CopyFrom(artifact)
            stored.sha256 = self._store.sha256_of(artifact, field=field_name)
            return stored
        if not artifact.media_type:
            raise InvalidArgumentError(
                f"{field_name}.media_type", "set it for inline data, for example image/vnd.radiance"
            )
        return self._store.put_inline(artifact, field=field_name)


def _refuse_black(image_hw3: Array, field_name: str) -> None:
    if not image_hw3.any():
        raise InvalidArgumentError(field_name, "holds no light: every pixel is black, negative or not a number")
