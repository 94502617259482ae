"""Decoding of callers' files in child processes: a file that takes too long or too much memory ends its process only.

Services decode with `decoding_pool().run(function, …)`. The function runs in a warm process with a limit on its address
space; the process is killed and replaced when the file takes too long, or when its job or call is cancelled.
"""

from lumenmill_common.decoding.limits import CLIP_LIMITS, MESH_LIMITS, STILL_LIMITS, DecodeLimits
from lumenmill_common.decoding.pool import DecodingPool, decoder, decoding_pool, warm_decoders
from lumenmill_common.decoding.replies import decoder_result

__all__ = [
    "CLIP_LIMITS",
    "MESH_LIMITS",
    "STILL_LIMITS",
    "DecodeLimits",
    "DecodingPool",
    "decoder",
    "decoder_result",
    "decoding_pool",
    "warm_decoders",
]
