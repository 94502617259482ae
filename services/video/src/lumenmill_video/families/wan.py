"""What the Wan 2.1 and 2.2 models share: the VAE in float32, UniPC with a shift by size, their cost."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler

from lumenmill.video.v1.video_pb2 import GenerateVideoRequest
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_neural.plan import Plan
from lumenmill_video.cost import WanCost, num_tokens
from lumenmill_video.families.clip import Clip, Frames, Media, OnStep, PendingFrames
from lumenmill_video.families.clips import ClipFamily

__all__ = ["WanFamily"]

# generate.py of Wan2.1 for image-to-video: 3 for 480P, else 5. The threshold lies between the two in pixels.
_FLOW_SHIFT_480P, _FLOW_SHIFT_720P, _MAX_PIXELS_480P = 3.0, 5.0, 640_000


class WanFamily(ClipFamily):
    """A Wan pipeline."""

    frame_step = 4
    own_arguments = frozenset({"fps", "flow_shift", "solver_order"})

    def load(self) -> None:
        """See the base class."""
        super().load()
        # The same weights with a feature cache of its own: that of the pipeline may be encoding at the same time.
        self._decoder = copy.copy(self.pipe.vae)

    def check_fields(self, request: GenerateVideoRequest) -> None:
        """See the base class."""
        super().check_fields(request)
        if request.adapters and getattr(self.pipe, "transformer_2", None) is not None:
            raise InvalidArgumentError(
                "adapters", "this model has two transformers, and an adapter changes one of them; leave it empty"
            )

    def parts(self) -> dict[str, Any]:
        """Return the VAE in float32, as the model cards load it."""
        return {"vae": self.float32_part(AutoencoderKLWan, "vae")}

    def float32_part(self, part_class: Any, folder: str) -> Any:
        """Load a part of the checkpoint in float32.

        Raises:
            FailedPreconditionError: it is missing or damaged.
        """
        root = self.host.checkpoint().folder
        try:
            return part_class.from_pretrained(
                str(root), subfolder=folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FailedPreconditionError(
                f"{root / folder} is no {part_class.__name__}: {' '.join(str(error).split())[:500]}",
                "LUMENMILL_CHECKPOINT",
            ) from error

    def with_derived(self, plan: Plan) -> Plan:
        """Add the shift of the noise schedule, unless the preset has one."""
        pixels = plan.arguments["width"] * plan.arguments["height"]
        shift = _FLOW_SHIFT_720P if pixels > _MAX_PIXELS_480P else _FLOW_SHIFT_480P
        return plan.with_arguments(flow_shift=plan.arguments.get("flow_shift", shift))

    def forward_flops(self, plan: Plan) -> float:
        """Return the operations of both calls of a step with guidance, or of the only one."""
        token_px = self.pipe.vae_scale_factor_spatial * self.pipe.transformer.config.patch_size[-1]
        tokens = num_tokens(plan.arguments["num_frames"], plan.arguments["width"], plan.arguments["height"], token_px)
        calls = 2 if plan.arguments["guidance_scale"] > 1.0 else 1
        return calls * WanCost.of(self.pipe.transformer.config).forward_flops(tokens)

    def frames(self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep) -> list[PendingFrames]:
        """See the base class."""
        if not self.host.overlaps_decoding:
            return super().frames(plan, clips, media, on_step)
        latents = self.call(plan, clips, media, on_step, output_type="latent")
        latents = latents[:, :, self.num_leading(media) :]
        return [self.host.overlapped.after_queued(partial(self._decode, one)) for one in latents.split(1)]

    def call(
        self, plan: Plan, clips: Sequence[Clip], media: Sequence[Media], on_step: OnStep, *, output_type: str
    ) -> Any:
        """See the base class; with the noise levels of the plan."""
        self.pipeline(media).scheduler = _scheduler(plan)
        return super().call(plan, clips, media, on_step, output_type=output_type)

    def num_leading(self, media: Sequence[Media]) -> int:
        """Return the number of latent frames of references, which precede those of the clip."""
        return 0

    def _decode(self, latents: torch.Tensor) -> Frames:
        """Decode latents (1, C, F', h, w) to frames, as at the end of the Wan pipelines of diffusers."""
        vae = self._decoder
        latents = latents.to(vae.dtype)
        mean, deviation = (
            torch.tensor(values).view(1, vae.config.z_dim, 1, 1, 1).to(latents.device, latents.dtype)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        with torch.no_grad():
            video = vae.decode(latents / (1.0 / deviation) + mean, return_dict=False)[0]
        frames: Frames = self.pipe.video_processor.postprocess_video(video, output_type="np")[0]
        return frames


def _scheduler(plan: Plan) -> UniPCMultistepScheduler:
    """Return UniPC (Zhao et al., 2023) with the noise levels of the flow; of order 1 it is Euler's method."""
    order = plan.arguments.get("solver_order", 2)
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=plan.arguments["flow_shift"],
        solver_order=order,
        disable_corrector=list(range(plan.arguments["num_inference_steps"])) if order == 1 else [],
    )
