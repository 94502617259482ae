"""Remove noise with Open Image Denoise, guided by albedo and normals."""

import numpy as np
import pyoidn
from numpy.typing import NDArray

__all__ = ["Denoiser", "Image"]

Image = NDArray[np.float32]


class Denoiser:
    """One OIDN device on the CPU, for HDR images; equal input gives equal output."""

    def __init__(self) -> None:
        self._device = pyoidn.Device(pyoidn.OIDN_DEVICE_TYPE_CPU)
        self._device.commit()

    def __call__(self, color_hw3: Image, albedo_hw3: Image, normal_hw3: Image) -> Image:
        """Return the image (H, W, 3) without noise.

        It is scaled to a mean near mid grey first, because OIDN's own exposure estimate jumps between images.
        """
        scale = 0.25 / max(float(np.mean(np.minimum(color_hw3, 100 * np.median(color_hw3) + 1e-4))), 1e-8)
        color = np.ascontiguousarray(color_hw3 * scale, np.float32)
        output = np.empty_like(color)
        with pyoidn.Filter(self._device, pyoidn.OIDN_FILTER_TYPE_RT) as oidn:
            oidn.set_image(pyoidn.OIDN_IMAGE_COLOR, color, pyoidn.OIDN_FORMAT_FLOAT3)
            oidn.set_image(
                pyoidn.OIDN_IMAGE_ALBEDO, np.ascontiguousarray(albedo_hw3, np.float32), pyoidn.OIDN_FORMAT_FLOAT3
            )
            oidn.set_image(
                pyoidn.OIDN_IMAGE_NORMAL, np.ascontiguousarray(normal_hw3, np.float32), pyoidn.OIDN_FORMAT_FLOAT3
            )
            oidn.set_image(pyoidn.OIDN_IMAGE_OUTPUT, output, pyoidn.OIDN_FORMAT_FLOAT3)
            oidn.set_bool("hdr", value=True)
            oidn.set_float("inputScale", 1.0)
            # Preserves the detail of the guides; the presets give them enough samples to be nearly free of noise.
            oidn.set_bool("cleanAux", value=True)
            oidn.commit()
            oidn.execute()
        return np.asarray(np.maximum(output, 0) / scale, np.float32)
