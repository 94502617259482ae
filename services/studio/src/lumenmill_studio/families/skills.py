"""What one worker thread can do: one engine, and the three kinds of work on it."""

from __future__ import annotations

from lumenmill_common.artifacts import ArtifactStore

from lumenmill_studio.assets import Assets
from lumenmill_studio.families._clips import Clips
from lumenmill_studio.families._decomposition import Decomposition
from lumenmill_studio.families._results import Maker
from lumenmill_studio.families._scene_access import LightReader
from lumenmill_studio.families._stills import Stills
from lumenmill_studio.render.engine import Engine


class Skills:
    """Stills, clips and decomposition that share an engine. To be made in the thread that chose the variant."""

    def __init__(self, store: ArtifactStore, assets: Assets, maker: Maker) -> None:
        self.engine = Engine(assets.pixels, assets.parts)
        lights = LightReader(store, assets)
        self.stills = Stills(store, self.engine, lights, maker, assets.meshes)
        self.clips = Clips(store, self.engine, lights, maker, assets.meshes)
        self.decomposition = Decomposition(store, self.engine, lights, maker)
