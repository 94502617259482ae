"""Define what determines a picture besides its light."""

from dataclasses import dataclass, replace

from lumenmill_studio.presets import Preset
from lumenmill_studio.render.camera import Pose
from lumenmill_studio.scenes.stored import Scene

__all__ = ["View", "view_of"]


@dataclass(frozen=True)
class View:
    """A scene seen by a camera: pose, size, samples, and whether the set is opened.

    Attributes:
        scene: what is seen.
        pose: position and direction of the camera.
        size_px: width and height.
        spp: samples per pixel of a unit picture.
        max_depth: longest path in bounces.
        guide_spp: samples per pixel of the denoiser's guides.
        open_set: whether walls and backdrops are left out, so that the environment is visible.
        backgrounds: digests and aspects (height over width) of the pictures that stand behind the subject.
    """

    scene: Scene
    pose: Pose
    size_px: tuple[int, int]
    spp: int
    max_depth: int
    guide_spp: int
    open_set: bool = False
    backgrounds: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> str:
        """Return the canonical text of the view, which names its unit pictures in light bases."""
        parts = (
            self.pose.key,
            f"{self.size_px[0]}x{self.size_px[1]}",
            f"spp{self.spp}",
            f"depth{self.max_depth}",
            f"guide{self.guide_spp}",
            "open" if self.open_set else "set",
            *(sha256 for sha256, _ in self.backgrounds),
        )
        return "/".join(parts)

    @property
    def geometry(self) -> "View":
        """Return the view without what guides and geometry buffers do not depend on; equal ones share them."""
        return replace(self, spp=0, max_depth=0, backgrounds=())


def view_of(
    scene: Scene,
    pose: Pose,
    size_px: tuple[int, int],
    preset: Preset,
    *,
    moving: bool = False,
    open_set: bool = False,
    backgrounds: tuple[tuple[str, float], ...] = (),
) -> View:
    """Return the view of a preset, of a still camera or of a frame of a moving one."""
    spp = preset.video.frame_spp if moving else preset.spp
    guide_spp = preset.guide_spp // 2 if moving else preset.guide_spp
    return View(scene, pose, size_px, spp, preset.max_depth, guide_spp, open_set or bool(backgrounds), backgrounds)
