"""Which samples go into a dataset, and into which of its splits."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from lumenmill.orchestrator.v1 import run_pb2

from lumenmill_orchestrator.exporters.disk_map import DiskMap
from lumenmill_orchestrator.exporters.interfaces import ExportedSample
from lumenmill_orchestrator.exporters.licence_filter import LicenceFilter
from lumenmill_orchestrator.exporters.splits import group_of, main_media_of, scene_of, split_of

__all__ = ["Selection"]


class Selection:
    """Chooses samples one by one and counts those that stay out. `seen` holds what the dataset has so far."""

    def __init__(
        self, request: run_pb2.ExportRunRequest, suits: Callable[[run_pb2.Sample], bool], seen: DiskMap
    ) -> None:
        self._suits, self._seen, self._rule = suits, seen, request.split_rule
        self._gate = LicenceFilter() if request.for_commercial_use else None
        self.num_samples = self.num_excluded_by_split = self.num_excluded_by_format = 0

    def of(self, samples: Iterable[run_pb2.Sample]) -> Iterator[ExportedSample]:
        """The samples that go in, each once, in order, with their splits."""
        for sample in samples:
            if not self._suits(sample):
                self.num_excluded_by_format += 1
            elif (self._gate is None or self._gate.lets_pass(sample)) and not self._is_in_already(sample):
                split = self._split(sample)
                if split is None:
                    self.num_excluded_by_split += 1
                else:
                    self.num_samples += 1
                    yield ExportedSample(sample, split)

    def result(self, files: Iterable[run_pb2.ExportedFile]) -> run_pb2.ExportResult:
        """The counts, with the files that were written."""
        return run_pb2.ExportResult(
            files=files,
            num_samples=self.num_samples,
            num_excluded_by_split=self.num_excluded_by_split,
            num_excluded_by_format=self.num_excluded_by_format,
            licence_exclusions=self._gate.licence_exclusions() if self._gate else [],
            num_excluded_by_licence=self._gate.num_excluded_by_licence if self._gate else 0,
        )

    def _is_in_already(self, sample: run_pb2.Sample) -> bool:
        """Whether a sample with the same media and words came before."""
        media = sorted((role, artifact.sha256) for role, artifact in sample.media.items())
        words = (sample.caption, sample.light_caption, sample.instruction, sample.prompt)
        key = hashlib.sha256(repr((sample.kind, media, words)).encode()).hexdigest()
        return self._seen.set_default(f"alike:{key}", sample.id) != sample.id

    def _split(self, sample: run_pb2.Sample) -> str | None:
        """The split by the rule; None too where the group or a picture of the sample is in another split.

        The rule alone parts what belongs together only where samples older than scene keys meet newer ones, or where
        different scenes came out as the same picture.
        """
        split = split_of(sample, self._rule)
        if split is None:
            return None
        links = {f"is:{key}" for key in (scene_of(sample), group_of(sample), *main_media_of(sample)) if key}
        if any(self._seen.get(link) not in (None, split) for link in sorted(links)):
            return None
        for link in sorted(links):
            self._seen.set_default(link, split)
        return split
