"""Context of every command: the mesh, and the exit codes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lumenmill_client._client import Client
from lumenmill_client._settings import ClientSettings, read_security
from lumenmill_client.command._unreachable import with_advice
from lumenmill_client.mesh import Home, MeshNotReadyError, find_local_address
from lumenmill_common import errors

__all__ = ["EXIT_CODES", "AsJson", "CommandContext", "exit_code_of"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of text.")]

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    1: "the work failed: a run without a single accepted sample, a damaged store, a mesh that is not ready",
    2: "wrong usage or a rejected request; the message names the field",
    3: "the mesh cannot be reached, or rejects the credentials",
    4: "a named object does not exist",
    5: "any other error",
    130: "interrupted by Ctrl-C; a watched run continues",
}
_CODE_OF: Mapping[type[errors.LumenmillError], int] = {
    MeshNotReadyError: 1,
    errors.InvalidArgumentError: 2,
    errors.OutOfRangeError: 2,
    errors.FailedPreconditionError: 2,
    errors.AlreadyExistsError: 2,
    errors.UnavailableError: 3,
    errors.UnauthenticatedError: 3,
    errors.PermissionDeniedError: 3,
    errors.NotFoundError: 4,
}


def exit_code_of(error: errors.LumenmillError) -> int:
    """Return the exit code of an error; see EXIT_CODES."""
    return _CODE_OF.get(type(error), 5)


@dataclass(frozen=True)
class CommandContext:
    """Options before the name of the command."""

    home_path: Path
    address: str

    @property
    def home(self) -> Home:
        """Return the state folder of the local mesh."""
        return Home.at(self.home_path)

    @property
    def has_mesh(self) -> bool:
        """Whether an address is given, or the orchestrator of a mesh on this machine is listening."""
        settings = read_security(ClientSettings, home=self.home_path)
        return bool(self.address or settings.address) or find_local_address(self.home) is not None

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a client of the mesh; an UnavailableError gets advice on what to check."""
        settings = read_security(ClientSettings, home=self.home_path)
        with Client(self.address, settings) as client:
            try:
                yield client
            except errors.UnavailableError as error:
                is_local = not (self.address or settings.address)
                raise with_advice(error, client.address, settings, is_local=is_local) from error
