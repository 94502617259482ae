"""ByteCache counts the memory of its arrays and removes the least recently used ones."""

import numpy as np

from lumenmill_studio.byte_cache import ByteCache


def test_the_least_recently_used_arrays_are_removed_beyond_the_limit() -> None:
    cache = ByteCache[str, np.ndarray](max_bytes=3000)
    for key in ("a", "b", "c"):
        cache.put(key, np.zeros(1000, np.uint8))
    assert cache.get("a") is not None
    cache.put("d", np.zeros(1000, np.uint8))
    assert cache.get("b") is None and cache.get("a") is not None and cache.num_bytes == 3000


def test_an_array_that_is_replaced_is_counted_once() -> None:
    cache = ByteCache[str, np.ndarray](max_bytes=10_000)
    cache.put("a", np.zeros(1000, np.uint8))
    cache.put("a", np.zeros(500, np.uint8))
    assert cache.num_bytes == 500


def test_a_view_counts_with_the_whole_array_that_it_refers_to() -> None:
    cache = ByteCache[str, np.ndarray](max_bytes=10_000)
    cache.put("a", np.zeros((10, 10, 4), np.float32)[..., :3])
    assert cache.num_bytes == 1600


def test_an_array_larger_than_the_limit_is_cached_alone() -> None:
    cache = ByteCache[str, np.ndarray](max_bytes=100)
    cache.put("a", np.zeros(50, np.uint8))
    cache.put("b", np.zeros(1000, np.uint8))
    assert cache.get("a") is None and cache.get("b") is not None and cache.num_bytes == 1000
