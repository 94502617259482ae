"""The licences that are stated now for environment maps and other files, in place of those in records.

A reused result has records with the licences that were stated when it was made. Those of a file that the run was given,
or that a model of the mesh offers, may have been corrected since; the present statement counts. A record names a file
by its subject alone, so that its licence is replaced only where every file that it can mean has a present statement,
and is kept beside the present ones otherwise.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lumenmill.common.v1 import artifact_pb2, generation_pb2, model_pb2
from lumenmill_common.artifacts import artifacts_in, digest_of

__all__ = ["NOT_STATED", "FileLicences", "SampleFileLicences"]

NOT_STATED = "LicenseRef-not-stated"

_LicencesByDigest = Mapping[str, Sequence[artifact_pb2.Licence]]


class FileLicences:
    """Licences stated now for the files that a run was given or that models offer, by digest."""

    def __init__(self, parameters: Mapping[str, Any], models: Sequence[model_pb2.Model]) -> None:
        self.inputs = _licences_of_inputs(parameters)
        self._offers = _licences_of_offers(models)
        self.by_name = self.named_in([parameters, [model.environment_maps for model in models]])

    def of(self, sha256: str) -> list[artifact_pb2.Licence]:
        """Return all licences that are stated for one file."""
        return [*self.inputs.get(sha256, ()), *self._offers.get(sha256, ())]

    def named_in(self, values: Sequence[Any]) -> Mapping[str, set[str]]:
        """Return the digests of all files in some values, by every subject under which a record may name them."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for artifact in artifacts_in(values):
            sha256 = digest_of(artifact)
            subjects = {artifact.licence.subject, *(licence.subject for licence in self.of(sha256))}
            for name in {sha256, artifact.name, *subjects} - {""}:
                found[name].add(sha256)
        return dict(found)


class SampleFileLicences:
    """Licences stated now for the files behind one sample."""

    def __init__(self, files: FileLicences, inputs: Sequence[Any], models: Iterable[str]) -> None:
        """Take all values with files behind the sample, and the subjects of the licences of models."""
        self._files, self._models = files, frozenset(models)
        self._by_subject = files.named_in(inputs)

    def of_record(self, record: generation_pb2.GenerationRecord) -> Iterator[artifact_pb2.Licence]:
        """Yield the licences of a record: for files those stated now, and its own where they may be of other files."""
        num_named = Counter(licence.subject for licence in record.licences)
        for licence in record.licences:
            digests = self._by_subject.get(licence.subject, ())
            possible = digests or self._files.by_name.get(licence.subject, ())
            stated = [self._files.of(sha256) for sha256 in sorted(possible)]
            is_of_file = licence.subject not in self._models and num_named[licence.subject] <= len(digests)
            if not is_of_file or not all(stated):
                yield licence
            yield from (present for licences in stated for present in licences)


def _licences_of_inputs(parameters: Mapping[str, Any]) -> _LicencesByDigest:
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for artifact in artifacts_in(parameters):
        found[digest_of(artifact)].append(_completed(artifact.licence, artifact))
    return found


def _licences_of_offers(models: Iterable[model_pb2.Model]) -> _LicencesByDigest:
    """Return the licence in the map's artifact, else those of the model with the map's name as subject."""
    found: defaultdict[str, list[artifact_pb2.Licence]] = defaultdict(list)
    for model in models:
        for artifact in model.environment_maps:
            sha256 = digest_of(artifact)
            names = {artifact.name, sha256} - {""}
            stated = [artifact.licence] if artifact.HasField("licence") else []
            stated = stated or [licence for licence in model.licences if licence.subject in names]
            found[sha256] += [_completed(licence, artifact) for licence in stated or [artifact_pb2.Licence()]]
    return found


def _completed(stated: artifact_pb2.Licence, artifact: artifact_pb2.Artifact) -> artifact_pb2.Licence:
    licence = artifact_pb2.Licence()
    licence.CopyFrom(stated)
    licence.subject = licence.subject or artifact.name or digest_of(artifact)
    licence.spdx_id = licence.spdx_id or NOT_STATED
    return licence
