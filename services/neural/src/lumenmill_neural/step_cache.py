"""Steps of a denoiser that re-use what the step before computed."""

from typing import Any

from diffusers.hooks import FirstBlockCacheConfig, TaylorSeerCacheConfig

from lumenmill_neural.catalogue import StepCache

__all__ = ["turn_to_cache"]

_CONFIGS = {"first_block": FirstBlockCacheConfig, "taylor_seer": TaylorSeerCacheConfig}


def turn_to_cache(denoiser: Any, cache: StepCache | None) -> None:
    """Makes a denoiser use this cache and no other; None: none."""
    if getattr(denoiser, "is_cache_enabled", False):
        denoiser.disable_cache()
    if cache is not None:
        denoiser.enable_cache(_CONFIGS[cache.kind](**cache.options))
