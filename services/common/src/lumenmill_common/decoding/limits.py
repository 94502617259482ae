"""How long a file may take to decode, and how much memory."""

from dataclasses import dataclass

__all__ = ["CLIP_LIMITS", "MESH_LIMITS", "STILL_LIMITS", "DecodeLimits"]


@dataclass(frozen=True)
class DecodeLimits:
    """Limits for one file.

    Attributes:
        max_s: seconds of computing time for the whole file; of a file that is decoded piece by piece, for each piece.
        max_memory_bytes: address space that decoding may take beside that of the idle process.
    """

    max_s: float
    max_memory_bytes: int = 2 << 30

    @property
    def max_wait_s(self) -> float:
        """Return the seconds after which a file is refused whatever it does; busy machines take longer than `max_s`."""
        return 3.0 * self.max_s


# The largest pictures that are read (36 million float pixels, 64 million of 8 bits) take 8 s and 1.3 GiB.
STILL_LIMITS = DecodeLimits(20.0)
# A mesh of 2 million triangles in text takes 20 s.
MESH_LIMITS = DecodeLimits(60.0)
# Every frame of a clip is decoded to measure flicker: 4K clips at about 20 frames per second and core. Frames of 8K
# take 100 MB each, of which the decoder keeps about ten.
CLIP_LIMITS = DecodeLimits(300.0, max_memory_bytes=3 << 30)
