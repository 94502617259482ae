"""Series of files of bounded size. A file with exactly the samples of an earlier one is reused."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from lumenmill_orchestrator.exporters.columns import SCHEMA_VERSION
from lumenmill_orchestrator.exporters.interfaces import Destination, ExportedSample

__all__ = ["ShardSeries", "WriteShard"]

_MAX_SAMPLES = 1000
_MAX_BYTES = 512 << 20

WriteShard = Callable[[Path, Sequence[ExportedSample]], None]


class ShardSeries:
    """Files `<stem>-00000<extension>` and so on. Memory holds the samples of one file, never their media."""

    def __init__(
        self, to: Destination, stem: str, extension: str, media_type: str, format_key: str, write: WriteShard
    ) -> None:
        """`format_key` names the format, its version and options: all that a file depends on besides its samples."""
        self._to, self._stem, self._extension, self._media_type = to, stem, extension, media_type
        self._format_key, self._write = format_key, write
        self._num_files = 0
        self._samples: list[ExportedSample] = []
        self._num_bytes = 0

    def add(self, exported: ExportedSample, num_bytes: int) -> None:
        """Add one sample, which takes about `num_bytes` in the file."""
        self._samples.append(exported)
        self._num_bytes += num_bytes
        if len(self._samples) >= _MAX_SAMPLES or self._num_bytes >= _MAX_BYTES:
            self.close()

    def close(self) -> None:
        """Write the pending samples as a file, or reuse an equal one."""
        if not self._samples:
            return
        samples, self._samples, self._num_bytes = self._samples, [], 0
        path = f"{self._stem}-{self._num_files:05d}{self._extension}"
        self._num_files += 1
        self._to.add_shard(path, self._key(samples), self._media_type, lambda local: self._write(local, samples))

    def _key(self, samples: Sequence[ExportedSample]) -> str:
        digest = hashlib.sha256(f"{self._format_key}/{SCHEMA_VERSION}".encode())
        for exported in samples:
            body = exported.sample.SerializeToString(deterministic=True)
            digest.update(f"\n{exported.split} {len(body)} ".encode() + body)
        return digest.hexdigest()
