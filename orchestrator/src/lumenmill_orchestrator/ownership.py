"""This database among all those that may refer to artifacts of the same store."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, ResourceExhaustedError
from lumenmill_common.telemetry import get_logger

from lumenmill_orchestrator.storage.schema import database_identity

__all__ = ["Ownership"]

_REGISTER_EVERY_S = 3600.0
# Whoever has registered within this time is served by an orchestrator, which may have missed one registration.
_ALIVE_S = 2 * _REGISTER_EVERY_S
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_log = get_logger(__name__)


class Ownership:
    """Tells the store about this database, and keeps it from collecting what another one may need."""

    def __init__(self, engine: sa.Engine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store

    async def keep_registered(self) -> None:
        """Registers now and then every hour, for ever; while that fails, again after growing pauses."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await asyncio.to_thread(self.register)
            except Exception as error:
                _log.warning("not registered with the store", reason=str(error), next_try_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                await asyncio.sleep(_REGISTER_EVERY_S)

    def register(self) -> None:
        """Lets the store, whose bucket is made where it is missing, know that this database refers to it: no other
        database's collection may take ours away.

        Raises:
            LumenmillError: the store cannot be written now.
        """
        self._store.check()
        self._store.register_owner(self._identity())

    def refuse_to_share(self, retired_database_ids: Sequence[str], *, dry_run: bool) -> None:
        """Lets a collection pass if no other database refers to the store. Those that are gone are forgotten.

        Raises:
            FailedPreconditionError: another database does, or one that is said to be gone is alive.
            UnavailableError: the store does not answer, so that nobody knows.
        """
        self._register_if_there_is_room()
        owners = self._store.owners()
        owners.pop(self._identity(), None)
        gone = owners.keys() & set(retired_database_ids)
        self._refuse_to_forget_the_living({database_id: owners[database_id] for database_id in gone})
        if others := {database_id: owners[database_id] for database_id in owners.keys() - gone}:
            raise FailedPreconditionError(
                f"other databases refer to this store too: {_told(others)}. What they need is not known here; if they "
                "are gone for good, name them",
                "retired_database_ids",
            )
        if not dry_run:
            for database_id in gone:
                self._store.forget_owner(database_id)

    def _register_if_there_is_room(self) -> None:
        try:
            self.register()
        except ResourceExhaustedError as error:  # only a collection makes room in a full store
            _log.warning("not registered with the store", reason=error.message)

    def _refuse_to_forget_the_living(self, gone: dict[str, float]) -> None:
        if not gone:
            return
        now_s = self._store.clock_s()
        alive = {database_id: seen_s for database_id, seen_s in gone.items() if now_s - seen_s < _ALIVE_S}
        if alive:
            raise FailedPreconditionError(
                f"an orchestrator serves, or has just served, these: {_told(alive)}. Stop it, and ask again when "
                f"{_ALIVE_S / 3600:.0f} hours have passed since",
                "retired_database_ids",
            )

    def _identity(self) -> str:
        with self._engine.connect() as connection:
            return str(connection.execute(sa.select(database_identity.c.id)).scalar_one())


def _told(owners: dict[str, float]) -> str:
    return ", ".join(
        f"{database_id} (last seen {datetime.fromtimestamp(seen_s, UTC):%Y-%m-%d %H:%M} UTC)"
        for database_id, seen_s in sorted(owners.items())
    )
