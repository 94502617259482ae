"""Marigold: intrinsic maps of pictures and clips, in the units of IntrinsicKind (Ke et al., CVPR 2024 and 2025).

Legend: N frames, E members of the ensemble, T targets, C channels, H × W pixels, h × w latent pixels.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from diffusers import MarigoldDepthPipeline, MarigoldIntrinsicsPipeline, MarigoldNormalsPipeline
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from PIL import Image

from lumenmill.common.v1.intrinsics_pb2 import IntrinsicKind
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.jobs import JobContext
from lumenmill_media import srgb_to_linear
from lumenmill_neural.catalogue import Arguments
from lumenmill_neural.host import ModelHost
from lumenmill_neural.memory import run_in_batches
from lumenmill_neural.plan import Plan
from lumenmill_neural.stages import Steps, timed_stages

__all__ = ["Marigold", "temporal_change"]

Array = NDArray[np.float32]

_PIPELINES = {
    "lighting": MarigoldIntrinsicsPipeline,
    "appearance": MarigoldIntrinsicsPipeline,
    "normals": MarigoldNormalsPipeline,
    "depth": MarigoldDepthPipeline,
}
_KINDS = {
    "albedo": IntrinsicKind.INTRINSIC_KIND_ALBEDO,
    "normals": IntrinsicKind.INTRINSIC_KIND_NORMALS,
    "depth": IntrinsicKind.INTRINSIC_KIND_DEPTH,
    "roughness": IntrinsicKind.INTRINSIC_KIND_ROUGHNESS,
    "metallicity": IntrinsicKind.INTRINSIC_KIND_METALLIC,
    "shading": IntrinsicKind.INTRINSIC_KIND_SHADING,
    "residual": IntrinsicKind.INTRINSIC_KIND_RESIDUAL,
}
_THREE_CHANNELS = ("albedo", "shading", "residual")
# A pixel whose 8-bit values differ by at most this counts as unchanged.
_SAME_LEVELS = 4


class Marigold:
    """The Marigold pipelines of a model, one for each of its parts `depth`, `normals`, `appearance` (albedo, roughness,
    metallic) and `lighting` (albedo, shading, residual). Parts may be absent.

    Albedo comes from `lighting` if it is present, because it belongs to its shading and residual; else `appearance`.
    """

    def __init__(self, host: ModelHost) -> None:
        self._host = host
        self._pipes: dict[str, Any] = {}
        self._sources: dict[int, str] = {}
        """The part that predicts each kind of map."""

    def load(self) -> None:
        """Load the parts that are present.

        Raises:
            FailedPreconditionError: none is present, or one is damaged, of another class, or predicts unknown maps.
        """
        for part, pipeline_class in _PIPELINES.items():
            checkpoint = self._host.part(part)
            if checkpoint is not None:
                self._pipes[part] = self._host.load_pipeline(pipeline_class, checkpoint)
        if not self._pipes:
            raise FailedPreconditionError(
                f"holds none of the folders {', '.join(sorted(_PIPELINES))}", "LUMENMILL_CHECKPOINT"
            )
        for part, pipe in self._pipes.items():
            for name in _names(part, pipe):
                self._sources.setdefault(_KINDS[name], part)

    @property
    def kinds(self) -> list[int]:
        """The maps that it predicts, in the order of IntrinsicKind. Empty before `load`."""
        return sorted(self._sources)

    def num_steps(self, plan: Plan, kinds: Sequence[int]) -> int:
        """Return the denoiser calls for one frame, over all pipelines that the kinds need and all ensemble members."""
        pipes = [self._pipes[part] for part in {self._sources[kind] for kind in kinds}]
        steps = plan.arguments.get("num_inference_steps")
        return sum(int(steps or pipe.default_denoising_steps) for pipe in pipes) * _ensemble_size(plan.arguments)

    def maps(
        self,
        plan: Plan,
        frames: Sequence[Image.Image],
        kinds: Sequence[int],
        seed: int,
        jobs: Sequence[JobContext] = (),
        *,
        coupling: float = 0.0,
        steps: Steps | None = None,
    ) -> dict[int, Array]:
        """Return maps (N, H, W, C) of frames of one size, by kind, in the units and axes of IntrinsicKind.

        Marigold leaves two scales open. Depth has neither scale nor origin: it runs from 1 (nearest) to 2 (farthest).
        Shading and residual have no exposure: it is chosen so that albedo × shading + residual is nearest to the frame.
        `plan.arguments` are those of the pipelines.

        Every frame starts from the same noise, so that equal frames give equal maps. `coupling` is the fraction of the
        noise that comes from the result of the previous frame; it steadies clips, and frames are then computed one by
        one. diffusers recommends 0.1 ("Marigold Pipelines for Computer Vision Tasks"). `steps` continues the count of
        earlier frames, see `steps_for`; without it, these are all frames.

        Raises:
            CancelledError: all jobs were cancelled; raised at the next step.
            ResourceExhaustedError: one frame does not fit into memory.
        """
        steps = steps or self.steps_for(plan, kinds, [len(frames)], jobs, coupling=coupling)
        found: dict[int, Array] = {}
        self._host.device.start_peak()
        for part, pipe in self._pipes.items():
            requested = [kind for kind in kinds if self._sources[kind] == part]
            if requested:
                with timed_stages(pipe, jobs, self._host.device), _counted_steps(pipe, steps):
                    predicted = self._predict(pipe, plan.arguments, frames, seed, coupling)
                maps = _converted(part, pipe, predicted, frames)
                found |= {kind: maps[kind] for kind in requested}
        return {kind: found[kind] for kind in kinds}

    def steps_for(
        self,
        plan: Plan,
        kinds: Sequence[int],
        chunks: Sequence[int],
        jobs: Sequence[JobContext],
        *,
        coupling: float = 0.0,
    ) -> Steps:
        """Return a counter of the steps of frames that are passed to `maps` in chunks of these sizes."""
        batch_size = 1 if coupling else self._host.max_batch_size
        num_batches = sum(-(-num_frames // batch_size) for num_frames in chunks)
        return Steps(jobs, self.num_steps(plan, kinds) * num_batches, self._host.device)

    def _predict(
        self, pipe: Any, arguments: Arguments, frames: Sequence[Image.Image], seed: int, coupling: float
    ) -> Array:
        """Return the predictions of a pipeline for all frames, (N·T, H, W, C)."""
        noise = self._noise(pipe, arguments, frames[0], seed)
        previous = noise

        def run(batch: Sequence[Image.Image]) -> list[Array]:
            nonlocal previous
            start = (1 - coupling) * noise + coupling * previous if coupling else noise
            latents = start.repeat(len(batch), 1, 1, 1)
            made = pipe(list(batch), latents=latents, batch_size=len(batch), output_latent=True, **arguments)
            previous = made.latent[-noise.shape[0] :]
            return list(made.prediction.reshape(len(batch), -1, *made.prediction.shape[1:]))

        size = f"one frame of {frames[0].width}×{frames[0].height} pixels"
        predicted = run_in_batches(frames, 1 if coupling else self._host.max_batch_size, run, self._host, size)
        return np.concatenate(predicted).astype(np.float32)

    def _noise(self, pipe: Any, arguments: Arguments, frame: Image.Image, seed: int) -> torch.Tensor:
        """Return noise (E, T·4, h, w), as the pipeline itself draws it."""
        side = arguments.get("processing_resolution")
        side = pipe.default_processing_resolution if side is None else side
        longer = max(frame.size)
        width, height = (edge * side // longer if side else edge for edge in frame.size)
        scale = pipe.vae_scale_factor
        shape = (
            arguments.get("ensemble_size", 1),
            pipe.unet.config.out_channels,
            -(-height // scale),
            -(-width // scale),
        )
        device = self._host.device
        return randn_tensor(shape, device.generator(seed), device.torch_device, pipe.dtype)


def _ensemble_size(arguments: Arguments) -> int:
    return int(arguments.get("ensemble_size", 1))


def temporal_change(maps: Array, frames: Sequence[Image.Image]) -> float | None:
    """Return how unsteady the maps (N, H, W, C) of a clip are: their mean absolute change from frame to frame in pixels
    where the frames themselves (H × W, RGB) do not change. None if every pixel changes."""
    total, count = 0.0, 0
    for index in range(1, len(frames)):
        one, two = (np.asarray(frame, np.int16) for frame in frames[index - 1 : index + 1])
        same = (np.abs(two - one) <= _SAME_LEVELS).all(axis=-1)
        total += float(np.abs(maps[index] - maps[index - 1])[same].sum(dtype=np.float64))
        count += int(same.sum()) * maps.shape[-1]
    return total / count if count else None


@contextmanager
def _counted_steps(pipe: Any, steps: Steps) -> Iterator[None]:
    """Count the denoiser's calls as steps; Marigold's pipelines have no callback for them."""

    def after(module: torch.nn.Module, inputs: object, outputs: object) -> None:
        steps(pipe, 0, None, {})

    handle = pipe.unet.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


def _names(part: str, pipe: Any) -> list[str]:
    """Return the maps of a pipeline, by Marigold's names."""
    if part == "depth":
        if pipe.config.prediction_type != "depth":
            raise FailedPreconditionError(f"predicts {pipe.config.prediction_type}, not depth", "LUMENMILL_CHECKPOINT")
        return ["depth"]
    if part == "normals":
        return ["normals"]
    names = [name for name, _, _ in _targets(pipe.target_properties)]
    if not names or not set(names) <= _KINDS.keys():
        raise FailedPreconditionError(f"{part} predicts {names}, which are unknown", "LUMENMILL_CHECKPOINT")
    return names


def _targets(properties: dict[str, Any] | None) -> list[tuple[str, int, int | None]]:
    """Return the name and target index of each map, and its channel if several maps are stacked in one target."""
    found: list[tuple[str, int, int | None]] = []
    for index, name in enumerate((properties or {}).get("target_names", [])):
        target = (properties or {}).get(name, {})
        if target.get("prediction_space") == "stack" or "sub_target_names" in target:
            found += [(sub, index, channel) for channel, sub in enumerate(target["sub_target_names"]) if sub]
        else:
            found.append((name, index, None))
    return found


def _converted(part: str, pipe: Any, predicted: Array, frames: Sequence[Image.Image]) -> dict[int, Array]:
    """Return predictions in the units and axes of IntrinsicKind."""
    if part == "depth":
        return {_KINDS["depth"]: 1 + np.clip(predicted, 0, 1)}
    if part == "normals":
        # Resizing to the frame shortens normals.
        return {_KINDS["normals"]: predicted / np.maximum(np.linalg.norm(predicted, axis=-1, keepdims=True), 1e-6)}
    properties = pipe.target_properties
    targets = predicted.reshape(len(frames), -1, *predicted.shape[1:])
    maps: dict[str, Array] = {}
    for name, index, channel in _targets(properties):
        values = targets[:, index] if channel is None else targets[:, index, ..., channel : channel + 1]
        is_srgb = properties.get(name, {}).get("prediction_space", "srgb") == "srgb"
        maps[name] = srgb_to_linear(values) if is_srgb and name in _THREE_CHANNELS else values
    if properties.get("shading", {}).get("up_to_scale") and "albedo" in maps:
        _expose(maps, frames)
    return {_KINDS[name]: values for name, values in maps.items()}


def _expose(maps: dict[str, Array], frames: Sequence[Image.Image]) -> None:
    """Multiply shading and residual of each frame by one factor: least squares against the frame in linear light."""
    for index, frame in enumerate(frames):
        linear = srgb_to_linear(np.asarray(frame, np.float32) / np.float32(255))
        model = maps["albedo"][index] * maps["shading"][index]
        if "residual" in maps:
            model = model + maps["residual"][index]
        energy = float((model * model).sum(dtype=np.float64))
        factor = float((model * linear).sum(dtype=np.float64)) / energy if energy > 0 else 1.0
        for name in ("shading", "residual"):
            if name in maps:
                maps[name][index] *= np.float32(factor)
