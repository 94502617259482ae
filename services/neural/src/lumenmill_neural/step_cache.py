"""Step caches of denoisers: steps re-use results of the step before."""

from typing import Any

from diffusers.hooks import FirstBlockCacheConfig, TaylorSeerCacheConfig

from lumenmill_neural.catalogue import StepCache

__all__ = ["set_step_cache"]

_CONFIGS = {"first_block": FirstBlockCacheConfig, "taylor_seer": TaylorSeerCacheConfig}


def set_step_cache(denoiser: Any, cache: StepCache | None) -> None:
    """Make a denoiser use this cache and no other; None: no cache."""
    if getattr(denoiser, "is_cache_enabled", False):
        denoiser.disable_cache()
    if cache is not None:
        denoiser.enable_cache(_CONFIGS[cache.kind](**cache.options))
