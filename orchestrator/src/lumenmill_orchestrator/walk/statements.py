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

__all__ = ["NOT_STATED", "StatedFiles", "Statements"]

NOT_STATED = "LicenseRef-not-stated"

_TermsByDigest = Mapping[str, Sequence[artifact_pb2.Licence]]


class StatedFiles:
    """The files that a run was given or that models offer, by digest, with all terms that are stated of them now."""

    def __init__(self, parameters: Mapping[str, Any], models: Sequence[model_pb2.Model]) -> None:
        self.inputs = _terms_of_inputs(parameters)
        self._offers = _terms_of_offers(models)
        self.by_name = self.named_in([parameters, [model.environment_maps for model in models]])

    def of(self, sha256: str) -> list[artifact_pb2.Licence]:
        """All that is stated of one file."""
        return [*self.inputs.get(sha256, ()), *self._offers.get(sha256, ())]

    def named_in(self, values: Sequence[Any]) -> Mapping[str, set[str]]:
        """Digests of all files in some values, by every name under which a record may know them."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for artifact in artifacts_in(values):
            sha256 = digest_of(artifact)
            subjects = {artifact.licence.subject, *(licence.subject for licence in self.of(sha256))}
            for name in {sha256, artifact.name, *subjects} - {""}:
                found[name].add(sha256)
        return dict(found)


class Statements:
    """The present statements about the files behind one sample."""

    def __init__(self, files: StatedFiles, behind: Sequence[Any], models: Iterable[str]) -> None:
        """`behind` is all that names files behind the sample; `models` are the subjects of terms that are no file's."""
        self._files, self._models = files, frozenset(models)
        self._behind = files.named_in(behind)

    def of_record(self, record: generation_pb2.GenerationRecord) -> Iterator[artifact_pb2.Licence]:
        """The terms that a record names: of files as stated now, with the record's own where those may be others'."""
        times = Counter(licence.subject for licence in record.licences)
        for licence in record.licences:
            behind = self._behind.get(licence.subject, ())
            possible = behind or self._files.by_name.get(licence.subject, ())
            stated = [self._files.of(sha256) for sha256 in sorted(possible)]
            is_of_file = licence.subject not in self._models and times[licence.subject] <= len(behind)
            if not is_of_file or not all(stated):
                yield licence
            yield from (present for terms in stated for present in terms)


def _terms_of_inputs(parameters: Mapping[str, Any]) -> _TermsByDigest:
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for artifact in artifacts_in(parameters):
        found[digest_of(artifact)].append(_whole(artifact.licence, artifact))
    return found


def _terms_of_offers(models: Iterable[model_pb2.Model]) -> _TermsByDigest:
    """As the map says, else as the model says of the map's name."""
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for model in models:
        for artifact in model.environment_maps:
            sha256 = digest_of(artifact)
            names = {artifact.name, sha256} - {""}
            stated = [artifact.licence] if artifact.HasField("licence") else []
            stated = stated or [licence for licence in model.licences if licence.subject in names]
            found[sha256] += [_whole(licence, artifact) for licence in stated or [artifact_pb2.Licence()]]
    return found


def _whole(stated: artifact_pb2.Licence, artifact: artifact_pb2.Artifact) -> artifact_pb2.Licence:
    licence = artifact_pb2.Licence()
    licence.CopyFrom(stated)
    licence.subject = licence.subject or artifact.name or digest_of(artifact)
    licence.spdx_id = licence.spdx_id or NOT_STATED
    return licence
