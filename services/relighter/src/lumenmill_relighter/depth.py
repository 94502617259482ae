"""Depth of a picture by Depth Anything V2 (Yang et al., NeurIPS 2024), as a picture in which near is bright."""

import numpy as np
import torch
from PIL import Image
from transformers import DepthAnythingForDepthEstimation
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.host import ModelHost
from lumenmill_neural.memory import run_in_batches

__all__ = ["DepthEstimator"]

_PART = "depth_estimator"


class DepthEstimator:
    """The part `depth_estimator` of a model. It stays on the device, since it is small compared to the model."""

    def __init__(self, host: ModelHost, field: str) -> None:
        """`field` is that of requests which makes the estimate unnecessary."""
        self._host, self._field = host, field

    def load(self) -> None:
        """Load its checkpoint.

        Raises:
            FailedPreconditionError: its checkpoint is missing, damaged, or of another model.
        """
        checkpoint = self._host.part(_PART)
        if checkpoint is None:
            raise FailedPreconditionError(
                f"name a Depth Anything V2: requests without `{self._field}` need it", "LUMENMILL_PART_CHECKPOINTS"
            )
        try:
            self._processor = DPTImageProcessorPil.from_pretrained(checkpoint.folder, local_files_only=True)
            model = DepthAnythingForDepthEstimation.from_pretrained(
                checkpoint.folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FailedPreconditionError(
                f"{checkpoint.folder} is no Depth Anything: {' '.join(str(error).split())[:300]}",
                "LUMENMILL_PART_CHECKPOINTS",
            ) from error
        self._model = model.to(self._host.device.torch_device).eval()

    def depth_of(self, picture: Image.Image) -> Image.Image:
        """Return relative inverse depth, from black (farthest) to white (nearest), RGB, of the picture's size.

        Raises:
            ResourceExhaustedError: the device has no memory left for it.
        """
        size = f"the depth of one picture of {picture.width}×{picture.height} pixels"
        return run_in_batches([picture], 1, lambda batch: [self._depth_of(batch[0])], self._host, size)[0]

    def _depth_of(self, picture: Image.Image) -> Image.Image:
        inputs = self._processor(images=picture, return_tensors="pt").to(self._host.device.torch_device)
        with torch.inference_mode():
            predicted = self._model(**inputs).predicted_depth[:, None].float()
        size = (picture.height, picture.width)
        resized = torch.nn.functional.interpolate(predicted, size, mode="bicubic", align_corners=False)[0, 0]
        low, high = resized.min(), resized.max()
        shown = (resized - low) / torch.clamp(high - low, min=1e-6)
        return Image.fromarray(np.round(shown.cpu().numpy() * 255).astype(np.uint8)).convert("RGB")
