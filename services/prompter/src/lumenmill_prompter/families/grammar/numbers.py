"""Numbers determined by a seed and an index: permutations, low-discrepancy points and choices."""

import functools
import math
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Choice", "Permutation", "lattice_point", "mix"]

T = TypeVar("T")

_MASK = (1 << 64) - 1
_UNIT = 1.0 / (1 << 64)


_FIRST_STATE = 0x9E3779B97F4A7C15


def mix(*values: int, state: int = _FIRST_STATE) -> int:
    """Return 64 well-mixed bits of the given integers (the finaliser of SplitMix64: Steele et al., OOPSLA 2014).

    `mix(a, b)` is `mix(b, state=mix(a))`.
    """
    for value in values:
        state = (state ^ value) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


class Choice:
    """A small stream of choices."""

    __slots__ = ("_count", "_state")

    def __init__(self, *key: int, state: int = _FIRST_STATE) -> None:
        self._state = mix(mix(*key, state=state))
        self._count = 0

    def bits(self) -> int:
        """Return the next 64 bits."""
        self._count += 1
        return mix(self._count, state=self._state)

    def uniform(self, low: float, high: float) -> float:
        """Return the next number in [low, high)."""
        return low + (high - low) * self.bits() * _UNIT

    def pick(self, options: Sequence[T]) -> T:
        """Return the next pick from options."""
        return options[self.bits() * len(options) >> 64]


class Permutation:
    """A pseudo-random bijection of 0 … size − 1: a four-round Feistel network, iterated until it lands inside.

    After Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._half = max((max(size - 1, 1).bit_length() + 1) // 2, 1)
        self._mask = (1 << self._half) - 1
        self._keys = tuple(mix(seed, size, turn) for turn in range(4))

    def __call__(self, index: int) -> int:
        """Return the image of `index`, which must lie in 0 … size − 1."""
        half, mask = self._half, self._mask
        while True:
            left, right = index >> half, index & mask
            for key in self._keys:
                scrambled = (right ^ key) * 0xBF58476D1CE4E5B9 & _MASK
                left, right = right, left ^ (scrambled >> 29 & mask)
            index = left << half | right
            if index < self.size:
                return index


# Irrational steps of a Kronecker sequence, one for each dimension: square roots of different primes are independent
# over the rationals, so that every set of dimensions is filled evenly (Kuipers and Niederreiter, "Uniform Distribution
# of Sequences", 1974, chapter 1.6).
_STEPS = tuple(int(math.modf(math.sqrt(prime))[0] * (1 << 64)) for prime in (2, 3, 5, 7, 11, 13, 29))
NUM_DIMENSIONS = len(_STEPS)


def lattice_point(seed: int, stream: int, index: int) -> list[float]:
    """Return point `index` of a low-discrepancy sequence in the unit cube of `NUM_DIMENSIONS` dimensions."""
    return [
        ((origin + index * step) & _MASK) * _UNIT for origin, step in zip(_origin(seed, stream), _STEPS, strict=True)
    ]


@functools.lru_cache(maxsize=256)
def _origin(seed: int, stream: int) -> tuple[int, ...]:
    return tuple(mix(seed, stream, dimension) for dimension in range(NUM_DIMENSIONS))
