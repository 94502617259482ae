"""Metadata files of export formats that put one text file per split, or per kind and split, beside the media."""

from io import TextIOWrapper
from types import TracebackType
from typing import Self

from lumenmill_orchestrator.exporters.interfaces import Destination

__all__ = ["MetadataFiles"]


class MetadataFiles:
    """Text files of one dataset, written line by line to disk and added to it when the block ends without an error."""

    def __init__(self, to: Destination, media_type: str, *, between: str = "", after: str = "") -> None:
        self._to, self._media_type = to, media_type
        self._between, self._after = between, after
        self._open: dict[str, TextIOWrapper] = {}

    def __enter__(self) -> Self:
        return self

    def add(self, path: str, text: str, head: str = "") -> None:
        """Add an entry to the file with this path, which starts with `head`."""
        file = self._open.get(path)
        if file is None:
            local = self._to.folder / f"metadata-{len(self._open)}"
            file = self._open[path] = local.open("w", encoding="utf-8", newline="")
            file.write(head)
        else:
            file.write(self._between)
        file.write(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, path in enumerate(self._open):
            file = self._open[path]
            if kind is None:
                file.write(self._after)
            file.close()
            if kind is None:
                self._to.add_file(path, self._to.folder / f"metadata-{number}", self._media_type)
