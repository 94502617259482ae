"""What is stated now of the terms of maps and other files, in place of what records have kept.

A result that is used again brings the terms that held when it was made. Those of a file that the run was given, or that
a model of the mesh offers, may have been corrected since; the present statement counts. Records name files in words
alone, so that a kept term gives way only where all that it can be about is stated now, and stays beside it otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lumenmill.common.v1 import artifact_pb2, generation_pb2, model_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of

__all__ = ["NOT_STATED", "Statements", "TermsByDigest", "terms_of_inputs", "terms_of_offers"]

NOT_STATED = "LicenseRef-not-stated"

TermsByDigest = Mapping[str, Sequence[artifact_pb2.Licence]]
"""What is stated of files, by their digests."""


def terms_of_inputs(parameters: Mapping[str, Any]) -> TermsByDigest:
    """The terms of every file among parameters, by its digest; of one that was given twice, both statements."""
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for artifact in artifacts_in(parameters):
        found[digest_of(artifact)].append(_whole(artifact.licence, artifact))
    return found


def terms_of_offers(models: Iterable[model_pb2.Model]) -> TermsByDigest:
    """The terms of every map that models offer, by its digest; as the map says, else as the model says of its name."""
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for model in models:
        for artifact in model.environment_maps:
            sha256 = digest_of(artifact)
            names = {artifact.name, sha256} - {""}
            stated = [artifact.licence] if artifact.HasField("licence") else []
            stated = stated or [licence for licence in model.licences if licence.subject in names]
            found[sha256] += [_whole(licence, artifact) for licence in stated or [artifact_pb2.Licence()]]
    return found


class Statements:
    """The present statements about the files behind one sample."""

    def __init__(self, stated: Sequence[TermsByDigest], behind: Iterable[Any], models: Iterable[str]) -> None:
        """`behind` is all that names files behind the sample; `models` are the subjects of terms that are no file's."""
        self._stated, self._models = stated, frozenset(models)
        self._sha256s_of: defaultdict[str, set[str]] = defaultdict(set)
        for artifact in artifacts_in(list(behind)):
            sha256 = digest_of(artifact)
            names = {artifact.name, artifact.licence.subject, *(licence.subject for licence in self.of(sha256))}
            for name in {sha256, *names} - {""}:
                self._sha256s_of[name].add(sha256)

    def of(self, sha256: str) -> list[artifact_pb2.Licence]:
        """All that is stated now of one file."""
        return [licence for stated in self._stated for licence in stated.get(sha256, ())]

    def of_record(self, record: generation_pb2.GenerationRecord) -> Iterator[artifact_pb2.Licence]:
        """The terms that a record names: of files as stated now, with the record's own where those may be others'."""
        times = Counter(licence.subject for licence in record.licences)
        for licence in record.licences:
            stated = [self.of(sha256) for sha256 in sorted(self._sha256s_of.get(licence.subject, ()))]
            is_of_file = licence.subject not in self._models and times[licence.subject] <= len(stated)
            if not is_of_file or not all(stated):
                yield licence
            yield from (present for terms in stated for present in terms)


def _whole(stated: artifact_pb2.Licence, artifact: artifact_pb2.Artifact) -> artifact_pb2.Licence:
    licence = artifact_pb2.Licence()
    licence.CopyFrom(stated)
    licence.subject = licence.subject or artifact.name or digest_of(artifact)
    licence.spdx_id = licence.spdx_id or NOT_STATED
    return licence
