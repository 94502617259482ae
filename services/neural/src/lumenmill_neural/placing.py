"""Where the weights of a model's pipelines are, and that a call which failed leaves no trace in them."""

import math
from typing import Any

from lumenmill_common.errors import FailedPreconditionError

from lumenmill_neural.catalogue import ModelEntry, Placement, Tier
from lumenmill_neural.device import Device, is_out_of_memory

__all__ = ["DENOISERS", "Placing", "denoisers_of"]

DENOISERS = ("transformer", "transformer_2", "unet")


class Placing:
    """The pipelines of one model on its device. Belongs to the worker's thread, but for `usual_tier`."""

    def __init__(self, entry: ModelEntry, device: Device) -> None:
        self._entry, self._device = entry, device
        # On the CPU the first, since there is nowhere else to put weights.
        self._usual = 0 if device.is_cpu else entry.tier_for(device.memory_gib)
        self._index = self._usual
        self._pipes: list[Any] = []
        self._vae_dtypes: dict[int, Any] = {}

    @property
    def usual_tier(self) -> Tier:
        """How the device's memory is used."""
        return self._entry.tiers[self._usual]

    @property
    def tier(self) -> Tier:
        """How it is used just now."""
        return self._entry.tiers[self._index]

    @property
    def is_usual(self) -> bool:
        """Whether weights are where they usually are."""
        return self._index == self._usual

    def described(self) -> dict[str, Any]:
        """How weights are placed now, for records."""
        return self._described(self.tier)

    def described_as_usual(self) -> dict[str, Any]:
        """How weights usually are placed."""
        return self._described(self.usual_tier)

    def _described(self, tier: Tier) -> dict[str, Any]:
        placement = Placement.RESIDENT if self._device.is_cpu else tier.placement
        return {"placement": placement.value, "vae_tiling": tier.vae_tiling}

    def add(self, pipe: Any) -> None:
        """Takes a pipeline and places it; where its tier turns out too large for the device, as the next one says.

        Raises:
            FailedPreconditionError: it fits in no way.
        """
        vae = getattr(pipe, "vae", None)
        if vae is not None:
            self._vae_dtypes[id(pipe)] = vae.dtype
        self._pipes.append(pipe)
        while not self._placed_all():
            self._device.free()
            index = self._next_smaller()
            if index is None:
                raise FailedPreconditionError(
                    f"{self._entry.title} does not fit into what is free of {self._device.name}; give it a device of "
                    "its own, or less of this one to the others",
                    "LUMENMILL_MEMORY_LIMIT_GIB",
                )
            self._usual = self._index = index

    def _placed_all(self) -> bool:
        try:
            for pipe in self._pipes:
                self._place(pipe)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def place_smaller(self) -> str:
        """Places weights as the next tier says that takes less; what was done, or nothing at the end of the ladder."""
        index = self._next_smaller()
        if index is None:
            return ""
        self._index = index
        for pipe in self._pipes:
            self._place(pipe)
        return ", ".join(f"{name} {value}" for name, value in self.described().items())

    def settle(self) -> None:
        """Makes the placement of now the usual one."""
        self._usual = self._index

    def place_as_usual(self) -> None:
        """Undoes `place_smaller`, after the work that needed it."""
        if not self.is_usual:
            self._index = self._usual
            for pipe in self._pipes:
                self._place(pipe)

    def recover(self) -> None:
        """After a call that ended by an exception, out of memory or cancelled: step caches forget its steps, parts that
        were brought to the device go back, and a VAE that the library made wider for decoding is as it was loaded."""
        for pipe in self._pipes:
            vae, dtype = getattr(pipe, "vae", None), self._vae_dtypes.get(id(pipe))
            if vae is not None and vae.dtype != dtype:
                vae.to(dtype=dtype)
            if hasattr(pipe, "maybe_free_model_hooks"):
                pipe.maybe_free_model_hooks()
            getattr(pipe, "lumenmill_forget_embeddings", lambda: None)()

    def _next_smaller(self) -> int | None:
        later = range(self._index + 1, len(self._entry.tiers))
        return next((index for index in later if self._takes_less(index)), None)

    def _takes_less(self, index: int) -> bool:
        """Tiers may differ in the size of batches alone, and the CPU has nowhere else to put weights."""
        now, then = self._entry.tiers[self._index], self._entry.tiers[index]
        moves = then.placement is not now.placement and not self._device.is_cpu
        return moves or (then.vae_tiling and not now.vae_tiling) or _frames_at_once(then) < _frames_at_once(now)

    def _place(self, pipe: Any) -> None:
        tier, vae = self._entry.tiers[self._index], getattr(pipe, "vae", None)
        if vae is not None and hasattr(vae, "enable_tiling"):
            (vae.enable_tiling if tier.vae_tiling else vae.disable_tiling)()
        if self._device.is_cpu:
            return  # there is nowhere else to put weights
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
    """Frames that the VAE decodes at once, where a tier says so."""
    return float(tier.arguments.get("decode_chunk_size", math.inf))


def denoisers_of(pipe: Any) -> list[Any]:
    """The transformers or U-Nets of a pipeline."""
    return [part for name in DENOISERS if (part := getattr(pipe, name, None)) is not None]
