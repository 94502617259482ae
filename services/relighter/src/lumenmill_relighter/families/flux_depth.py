"""FLUX.1 Depth: text to image conditioned on the depth of a picture (Black Forest Labs, 2024)."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from diffusers import FluxControlPipeline
from PIL import Image

from lumenmill.common.v1.model_pb2 import TextInput
from lumenmill.relighter.v1.relighter_pb2 import RelightRequest, RelightVariant
from lumenmill_common.jobs import JobContext
from lumenmill_media import read_rgb
from lumenmill_neural.plan import Plan
from lumenmill_relighter.depth import DepthEstimator
from lumenmill_relighter.families.editing import EditingFamily, VariantInputs
from lumenmill_relighter.families.prompts import description
from lumenmill_relighter.families.sizes import Size
from lumenmill_relighter.light import Lighting

__all__ = ["FluxDepth"]


class FluxDepth(EditingFamily):
    """FLUX.1-Depth-dev, or its LoRA on FLUX.1-dev. Without depth in the request, Depth Anything estimates it."""

    pipeline_class = FluxControlPipeline
    text_input = TextInput.TEXT_INPUT_DESCRIPTION
    takes_depth = True

    def load(self) -> None:
        """See the base class."""
        self._estimator = DepthEstimator(self.host, "depth")
        self._estimator.load()
        super().load()

    def prompt(self, variant: RelightVariant, lighting: Lighting | None, field: str) -> str:
        """See the base class."""
        return description(variant, lighting, field, light_is_enough=False)

    def shared_pictures(self, request: RelightRequest, work_px: Size) -> dict[str, Image.Image]:
        """Return the depth of the request."""
        if not request.HasField("depth"):
            return {}
        depth = read_rgb(self.host.store, request.depth, "depth", self.limits)
        return {"depth": depth.resize(work_px, Image.Resampling.BILINEAR)}

    def prepared(self, inputs: list[VariantInputs], job: JobContext | None = None) -> list[VariantInputs]:
        """Add the estimated depth of a picture without one."""
        if "depth" in inputs[0].pictures:
            return inputs
        with job.stage("depth") if job is not None else nullcontext():
            depth = self._estimator.depth_of(inputs[0].picture)
        return [replace(each, pictures={"depth": depth}) for each in inputs]

    def arguments(self, plan: Plan, inputs: Sequence[VariantInputs]) -> dict[str, Any]:
        """See the base class."""
        return plan.arguments | {"control_image": [each.pictures["depth"] for each in inputs]}
