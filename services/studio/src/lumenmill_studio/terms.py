"""Read the terms of use of assets: from `licences.yaml` in the operator's folders, or as requests state them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lumenmill.common.v1.artifact_pb2 import Artifact, Licence
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_common.licences import known_commercial_use
from lumenmill_common.validation import violations_of

__all__ = ["FILE_NAME", "NOT_STATED", "Entry", "FolderTerms", "licence_of"]

FILE_NAME = "licences.yaml"
NOT_STATED = "LicenseRef-operator-supplied"


class Entry(BaseModel):
    """Terms of the files whose path below the folder matches ``files``, where `*` stands for any characters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    files: str = Field(min_length=1, max_length=255)
    spdx_id: str = Field(pattern=r"^[A-Za-z0-9.+-]{1,128}$")
    allows_commercial_use: bool | None = None
    subject: str = Field(default="", max_length=255)


@dataclass(frozen=True)
class FolderTerms:
    """The entries of the `licences.yaml` of one folder; the first that matches a file applies to it."""

    folder: Path
    entries: Sequence[Entry]

    @classmethod
    def of(cls, folder: Path, setting: str) -> Self:
        """Return the terms that are stated in a folder; none if it has no such file.

        Raises:
            FailedPreconditionError: the file is no list of entries; names the file, the line, and the setting of the
                folder.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return cls(folder, ())
        try:
            text = path.read_text(encoding="utf-8")
            values, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise FailedPreconditionError(f"{path}: {' '.join(str(error).split())}", setting) from error
        if not isinstance(values, list) or not isinstance(tree, yaml.SequenceNode):
            raise FailedPreconditionError(f"{path}: must be a list of entries with `files` and `spdx_id`", setting)
        lines = (node.start_mark.line + 1 for node in tree.value)
        return cls(folder, tuple(_entry(value, path, at, setting) for value, at in zip(values, lines, strict=True)))

    def put_on(self, artifact: Artifact, path: Path) -> Artifact:
        """Add the terms that are stated for a file of the folder to its artifact, and return it."""
        relative = path.relative_to(self.folder).as_posix()
        entry = next((entry for entry in self.entries if fnmatchcase(relative, entry.files)), None)
        if entry is not None:
            artifact.licence.CopyFrom(
                Licence(subject=entry.subject, spdx_id=entry.spdx_id, allows_commercial_use=entry.allows_commercial_use)
            )
            artifact.licence.CopyFrom(licence_of(artifact))
        return artifact


def _entry(value: object, path: Path, line: int, setting: str) -> Entry:
    try:
        return Entry.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(": ".join(filter(None, violation)) for violation in violations_of(error))
        raise FailedPreconditionError(f"{path}, entry at line {line}: {problems}", setting) from error


def licence_of(artifact: Artifact) -> Licence:
    """Return the terms that the artifact of an asset states, or unknown ones.

    Where they do not state commercial use, it follows from well-known licences.
    """
    licence = Licence()
    licence.CopyFrom(artifact.licence)
    licence.subject = licence.subject or artifact.name or artifact.sha256
    licence.spdx_id = licence.spdx_id or NOT_STATED
    known = known_commercial_use(licence.spdx_id)
    if known is not None and not licence.HasField("allows_commercial_use"):
        licence.allows_commercial_use = known
    return licence
