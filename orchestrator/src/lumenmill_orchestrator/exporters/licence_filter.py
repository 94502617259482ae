"""The gate of datasets for commercial use. It fails closed: what is not known to be allowed is refused."""

from collections import Counter

from lumenmill.common.v1 import artifact_pb2
from lumenmill.orchestrator.v1 import run_pb2

__all__ = ["LicenceFilter"]

_FORBIDDEN = "does not allow commercial use"
_UNKNOWN = "terms are not known"
_NOTHING_RECORDED = artifact_pb2.Licence(subject="samples without recorded terms", spdx_id="LicenseRef-not-stated")
_MOST_REFUSALS = 1000


class LicenceFilter:
    """Lets samples pass whose every term allows commercial use, and counts the others by their terms."""

    def __init__(self) -> None:
        self.num_excluded_by_licence = 0
        self._counts: Counter[tuple[bytes, str]] = Counter()

    def lets_pass(self, sample: run_pb2.Sample) -> bool:
        """Whether a sample may go into the dataset. A refusal is counted."""
        terms = list(sample.licences) or [_NOTHING_RECORDED]
        reasons = {
            (licence.SerializeToString(deterministic=True), reason) for licence in terms if (reason := _reason(licence))
        }
        self._counts.update(reasons)
        self.num_excluded_by_licence += bool(reasons)
        return not reasons

    def licence_exclusions(self) -> list[run_pb2.LicenceExclusion]:
        """What kept samples out, most frequent first; at most the 1,000 most frequent."""
        ordered = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [
            run_pb2.LicenceExclusion(
                licence=artifact_pb2.Licence.FromString(licence), reason=reason, num_samples=num_samples
            )
            for (licence, reason), num_samples in ordered[:_MOST_REFUSALS]
        ]


def _reason(licence: artifact_pb2.Licence) -> str:
    if not licence.HasField("allows_commercial_use"):
        return _UNKNOWN
    return "" if licence.allows_commercial_use else _FORBIDDEN
