"""FLUX.1 Depth: FLUX.1 that paints what words describe over the depth of a picture (Black Forest Labs, 2024)."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from diffusers import FluxControlPipeline
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest, RelightVariant
from lumenmill_common.jobs import JobContext
from lumenmill_media import read_rgb
from lumenmill_neural.plan import Plan
from PIL import Image

from lumenmill_relighter.depth import DepthEstimator
from lumenmill_relighter.families.editing import EditingFamily, Item
from lumenmill_relighter.families.prompts import description
from lumenmill_relighter.families.sizes import Size
from lumenmill_relighter.light import Lighting

__all__ = ["FluxDepth"]


class FluxDepth(EditingFamily):
    """FLUX.1-Depth-dev, and the LoRA of the same on FLUX.1-dev. Depth is the request's, else Depth Anything's."""

    pipeline_class = FluxControlPipeline
    takes_depth = True

    def load(self) -> None:
        """See the base class."""
        self._estimator = DepthEstimator(self.host)
        self._estimator.load()
        super().load()

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return description(variant, lighting, field, light_is_enough=False)

    def shared(self, request: RelightRequest, work_px: Size) -> dict[str, Image.Image]:
        """The depth of the request."""
        if not request.HasField("depth"):
            return {}
        depth = read_rgb(self.host.store, request.depth, "depth", self.limits)
        return {"depth": depth.resize(work_px, Image.Resampling.BILINEAR)}

    def completed(self, items: list[Item], job: JobContext | None = None) -> list[Item]:
        """The depth of a picture that came without."""
        if "depth" in items[0].given:
            return items
        with job.stage("depth") if job is not None else nullcontext():
            depth = self._estimator.depth_of(items[0].picture)
        return [replace(item, given={"depth": depth}) for item in items]

    def arguments(self, plan: Plan, items: Sequence[Item]) -> dict[str, Any]:
        """See the base class."""
        return plan.arguments | {"control_image": [item.given["depth"] for item in items]}
