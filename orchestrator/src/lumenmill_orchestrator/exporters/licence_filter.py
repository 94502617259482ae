"""Excludes samples from datasets for commercial use. It fails closed: unknown terms exclude a sample."""

from collections import Counter

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["LicenceFilter"]

_FORBIDDEN = "does not allow commercial use"
_UNKNOWN = "does not state whether commercial use is allowed"
_NOTHING_RECORDED = artifact_pb2.Licence(subject="samples without recorded licences", spdx_id="LicenseRef-not-stated")
_MAX_EXCLUSIONS = 1000


class LicenceFilter:
    """Accepts samples whose licences all allow commercial use, and counts the others by licence and reason."""

    def __init__(self) -> None:
        self.num_excluded = 0
        self._counts: Counter[tuple[bytes, str]] = Counter()

    def accepts(self, sample: run_pb2.Sample) -> bool:
        """Return whether a sample may go into the dataset; count it when not."""
        licences = list(sample.licences) or [_NOTHING_RECORDED]
        excluding = {(_serialized(licence), reason) for licence in licences if (reason := _reason(licence))}
        self._counts.update(excluding)
        self.num_excluded += bool(excluding)
        return not excluding

    def exclusions(self) -> list[run_pb2.LicenceExclusion]:
        """Return the licences that excluded samples, most frequent first; at most 1,000."""
        ordered = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [
            run_pb2.LicenceExclusion(
                licence=artifact_pb2.Licence.FromString(licence), reason=reason, num_samples=num_samples
            )
            for (licence, reason), num_samples in ordered[:_MAX_EXCLUSIONS]
        ]


def _serialized(licence: artifact_pb2.Licence) -> bytes:
    return licence.SerializeToString(deterministic=True)


def _reason(licence: artifact_pb2.Licence) -> str:
    if not licence.HasField("allows_commercial_use"):
        return _UNKNOWN
    return "" if licence.allows_commercial_use else _FORBIDDEN
