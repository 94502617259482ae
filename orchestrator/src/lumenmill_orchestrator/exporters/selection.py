"""Selects the samples of a dataset and assigns them to splits."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from lumenmill.orchestrator.v1 import run_pb2
from lumenmill_orchestrator.exporters.disk_map import DiskMap
from lumenmill_orchestrator.exporters.interfaces import ExportedSample
from lumenmill_orchestrator.exporters.licence_filter import LicenceFilter
from lumenmill_orchestrator.exporters.splits import group_of, main_media_of, scene_of, split_of

__all__ = ["Selection"]


class Selection:
    """Selects samples one by one and counts the excluded ones. `seen` holds the keys of the selected ones."""

    def __init__(
        self, request: run_pb2.ExportRunRequest, accepts: Callable[[run_pb2.Sample], bool], seen: DiskMap
    ) -> None:
        self._accepts, self._seen, self._rule = accepts, seen, request.split_rule
        self._licences = LicenceFilter() if request.for_commercial_use else None
        self.num_samples = self.num_excluded_by_split = self.num_excluded_by_format = 0

    def of(self, samples: Iterable[run_pb2.Sample]) -> Iterator[ExportedSample]:
        """Yield the selected samples, each once, in order, with their splits."""
        for sample in samples:
            if not self._accepts(sample):
                self.num_excluded_by_format += 1
            elif (self._licences is None or self._licences.accepts(sample)) and not self._is_duplicate(sample):
                split = self._split(sample)
                if split is None:
                    self.num_excluded_by_split += 1
                else:
                    self.num_samples += 1
                    yield ExportedSample(sample, split)

    def result(self, files: Iterable[run_pb2.ExportedFile]) -> run_pb2.ExportResult:
        """Return the counts with the files that were written."""
        return run_pb2.ExportResult(
            files=files,
            num_samples=self.num_samples,
            num_excluded_by_split=self.num_excluded_by_split,
            num_excluded_by_format=self.num_excluded_by_format,
            licence_exclusions=self._licences.exclusions() if self._licences else [],
            num_excluded_by_licence=self._licences.num_excluded if self._licences else 0,
        )

    def _is_duplicate(self, sample: run_pb2.Sample) -> bool:
        """Return whether a sample with the same media and texts came before."""
        media = sorted((role, artifact.sha256) for role, artifact in sample.media.items())
        texts = (sample.caption, sample.light_caption, sample.instruction, sample.prompt)
        key = hashlib.sha256(repr((sample.kind, media, texts)).encode()).hexdigest()
        return self._seen.set_default(f"sample:{key}", sample.id) != sample.id

    def _split(self, sample: run_pb2.Sample) -> str | None:
        """Return the split by the rule; None when the sample would share a key, group or image with another split.

        The rule alone separates related samples only where some have no scene key, or where different scenes gave the
        same image.
        """
        split = split_of(sample, self._rule)
        if split is None:
            return None
        links = {f"split:{key}" for key in (scene_of(sample), group_of(sample), *main_media_of(sample)) if key}
        if any(self._seen.get(link) not in (None, split) for link in sorted(links)):
            return None
        for link in sorted(links):
            self._seen.set_default(link, split)
        return split
