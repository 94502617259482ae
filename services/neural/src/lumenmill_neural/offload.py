"""The offload policy: which weights of a model's pipelines stay in device memory, and the reset after a failed call."""

import math
from typing import Any

from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.catalogue import ModelEntry, Placement, Tier
from lumenmill_neural.device import Device, is_out_of_memory

__all__ = ["DENOISERS", "OffloadPolicy", "denoisers_of"]

DENOISERS = ("transformer", "transformer_2", "unet")


class OffloadPolicy:
    """Place the pipelines of one model on its device, by the tiers of its entry. Used by the worker's thread only,
    apart from `default_tier`."""

    def __init__(self, entry: ModelEntry, device: Device) -> None:
        self._entry, self._device = entry, device
        # On the CPU the first tier, because there is no other memory to offload to.
        self._default = 0 if device.is_cpu else entry.tier_for(device.memory_gib)
        self._current = self._default
        self._pipes: list[Any] = []
        self._vae_dtypes: dict[int, Any] = {}

    @property
    def default_tier(self) -> Tier:
        """The tier that requests are planned by."""
        return self._entry.tiers[self._default]

    @property
    def tier(self) -> Tier:
        """The tier in effect, which is a smaller one while a request needs more memory."""
        return self._entry.tiers[self._current]

    @property
    def is_default(self) -> bool:
        """Whether the default tier is in effect."""
        return self._current == self._default

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the tier in effect, for records."""
        return self._parameters_of(self.tier)

    def default_parameters(self) -> dict[str, Any]:
        """Return the parameters of the default tier, for the description of the model."""
        return self._parameters_of(self.default_tier)

    def _parameters_of(self, tier: Tier) -> dict[str, Any]:
        placement = Placement.RESIDENT if self._device.is_cpu else tier.placement
        return {"placement": placement.value, "vae_tiling": tier.vae_tiling}

    def add(self, pipe: Any) -> None:
        """Add a pipeline and place it. If it does not fit, make the next smaller tier the default.

        Raises:
            FailedPreconditionError: it does not fit in any tier.
        """
        vae = getattr(pipe, "vae", None)
        if vae is not None:
            self._vae_dtypes[id(pipe)] = vae.dtype
        self._pipes.append(pipe)
        while not self._place_all():
            self._device.free()
            index = self._next_smaller()
            if index is None:
                raise FailedPreconditionError(
                    f"{self._entry.title} does not fit into what is free of {self._device.name}; give it a device of "
                    "its own, or less of this one to the others",
                    "LUMENMILL_MEMORY_LIMIT_GIB",
                )
            self._default = self._current = index

    def _place_all(self) -> bool:
        try:
            for pipe in self._pipes:
                self._place(pipe)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def apply_smaller_tier(self) -> str:
        """Apply the next tier that takes less memory, and return its parameters as text; empty if there is none."""
        index = self._next_smaller()
        if index is None:
            return ""
        self._current = index
        for pipe in self._pipes:
            self._place(pipe)
        return ", ".join(f"{name} {value}" for name, value in self.parameters().items())

    def make_tier_default(self) -> None:
        """Make the tier in effect the default."""
        self._default = self._current

    def restore_default_tier(self) -> None:
        """Apply the default tier again, after the work that needed a smaller one."""
        if not self.is_default:
            self._current = self._default
            for pipe in self._pipes:
                self._place(pipe)

    def reset(self) -> None:
        """Clean up after a call that raised, out of memory or cancelled: offload what it brought to the device, clear
        caches, and convert a VAE that the library upcast for decoding back to the type it was loaded in."""
        for pipe in self._pipes:
            vae, dtype = getattr(pipe, "vae", None), self._vae_dtypes.get(id(pipe))
            if vae is not None and vae.dtype != dtype:
                vae.to(dtype=dtype)
            if hasattr(pipe, "maybe_free_model_hooks"):
                pipe.maybe_free_model_hooks()
            getattr(pipe, "lumenmill_clear_embeddings", lambda: None)()

    def _next_smaller(self) -> int | None:
        following = range(self._current + 1, len(self._entry.tiers))
        return next((index for index in following if self._takes_less(index)), None)

    def _takes_less(self, index: int) -> bool:
        """Whether a tier takes less memory than the one in effect: some differ in their batch size only, and the CPU
        has no other memory to offload to."""
        current, other = self._entry.tiers[self._current], self._entry.tiers[index]
        offloads = other.placement is not current.placement and not self._device.is_cpu
        tiles = other.vae_tiling and not current.vae_tiling
        return offloads or tiles or _frames_at_once(other) < _frames_at_once(current)

    def _place(self, pipe: Any) -> None:
        tier, vae = self._entry.tiers[self._current], getattr(pipe, "vae", None)
        if vae is not None and hasattr(vae, "enable_tiling"):
            (vae.enable_tiling if tier.vae_tiling else vae.disable_tiling)()
        if self._device.is_cpu:
            return
        pipe.remove_all_hooks()
        if tier.placement is Placement.RESIDENT:
            pipe.to(self._device.torch_device)
        elif tier.placement is Placement.MODEL_OFFLOAD:
            pipe.to("cpu")
            pipe.enable_model_cpu_offload(device=self._device.torch_device)
        else:
            pipe.to("cpu")
            pipe.enable_sequential_cpu_offload(device=self._device.torch_device)


def _frames_at_once(tier: Tier) -> float:
    """Return how many frames the VAE decodes at once; infinity where the tier does not limit them."""
    return float(tier.arguments.get("decode_chunk_size", math.inf))


def denoisers_of(pipe: Any) -> list[Any]:
    """Return the transformers or U-Nets of a pipeline."""
    return [part for name in DENOISERS if (part := getattr(pipe, name, None)) is not None]
