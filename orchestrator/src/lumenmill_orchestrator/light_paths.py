"""The environment maps of light paths, recorded in samples.

A sample's `requested_light` and that of its record are single lights, of a path the first. The maps of all keyframes
are recorded among the parameters of the record, as `light_path_map_sha256s`.
"""

from collections.abc import Iterable, Sequence

from lumenmill.common.v1 import light_pb2
from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of

__all__ = ["record_path_maps", "recorded_path_maps"]

_PARAMETER = "light_path_map_sha256s"


def record_path_maps(sample: run_pb2.Sample, paths: Sequence[light_pb2.LightPath]) -> None:
    """Record the digests of the environment maps and background images of paths, if they have any."""
    sha256s = list(dict.fromkeys(digest_of(artifact) for artifact in artifacts_in(paths)))
    if sha256s:
        sample.record.parameters.update({_PARAMETER: sha256s})


def recorded_path_maps(sample: run_pb2.Sample) -> Iterable[str]:
    """Return the recorded digests."""
    recorded = sample.record.parameters.fields.get(_PARAMETER)
    return [value.string_value for value in recorded.list_value.values] if recorded is not None else []
