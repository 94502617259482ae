"""Series of files of a fixed size. A file that would hold the very same samples as one written before is used again."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from lumenmill_orchestrator.exporters.columns import SCHEMA_VERSION
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample

__all__ = ["ShardSeries", "WriteShard"]

_MOST_SAMPLES = 1000
_MOST_BYTES = 512 << 20

WriteShard = Callable[[Path, Sequence[ExportedSample]], None]


class ShardSeries:
    """Files `<stem>-00000<extension>` and so on. Memory holds the samples of one file, never their media."""

    def __init__(
        self, to: Destination, stem: str, extension: str, media_type: str, form: str, write: WriteShard
    ) -> None:
        """`form` names all besides the samples that decides what a file holds: the form, its version and options."""
        self._to, self._stem, self._extension, self._media_type = to, stem, extension, media_type
        self._form, self._write = form, write
        self._num_files = 0
        self._samples: list[ExportedSample] = []
        self._num_bytes = 0

    def add(self, exported: ExportedSample, num_bytes: int) -> None:
        """Add one sample, which takes about so many bytes in the file."""
        self._samples.append(exported)
        self._num_bytes += num_bytes
        if len(self._samples) >= _MOST_SAMPLES or self._num_bytes >= _MOST_BYTES:
            self.close()

    def close(self) -> None:
        """Write what waits, or use what was written before."""
        if not self._samples:
            return
        samples, self._samples, self._num_bytes = self._samples, [], 0
        path = f"{self._stem}-{self._num_files:05d}{self._extension}"
        self._num_files += 1
        self._to.add_shard(path, self._key(samples), self._media_type, lambda local: self._write(local, samples))

    def _key(self, samples: Sequence[ExportedSample]) -> str:
        digest = hashlib.sha256(f"{self._form}/{SCHEMA_VERSION}".encode())
        for exported in samples:
            body = exported.sample.SerializeToString(deterministic=True)
            digest.update(f"\n{exported.split} {len(body)} ".encode() + body)
        return digest.hexdigest()
