"""Registers this database with its store, and guards a store that several databases share."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, ResourceExhaustedError, UnavailableError
from lumenmill_common.retries import RetryPolicy, RetryState, retrying
from lumenmill_common.telemetry import get_logger
from lumenmill_orchestrator.storage.schema import database_identity

__all__ = ["Ownership"]

_REGISTER_EVERY_S = 3600.0
# A database that registered within this time is in use; its orchestrator may have missed one registration.
_IN_USE_S = 2 * _REGISTER_EVERY_S
_RETRIES = RetryPolicy({UnavailableError: math.inf}, initial_backoff_s=1.0, max_backoff_s=60.0)
_log = get_logger(__name__)


class Ownership:
    """Registers this database as an owner of the store; refuses collections that may remove what others need."""

    def __init__(self, engine: sa.Engine, store: ArtifactStore) -> None:
        self._engine, self._store = engine, store

    async def keep_registered(self) -> None:
        """Register now and then every hour, until cancelled; retry whatever fails."""
        while True:
            await retrying(self._try_to_register, RetryState(_RETRIES))
            await asyncio.sleep(_REGISTER_EVERY_S)

    async def _try_to_register(self) -> None:
        try:
            await asyncio.to_thread(self.register)
        except Exception as error:
            _log.warning("not registered with the store", reason=str(error))
            raise UnavailableError(str(error)) from error

    def register(self) -> None:
        """Register this database with the store, so that no other database collects its artifacts.

        A missing bucket is created.

        Raises:
            LumenmillError: the store cannot be written now.
        """
        self._store.check()
        self._store.register_owner(self._identity())

    def check_sole_owner(self, retired_database_ids: Sequence[str], *, dry_run: bool) -> None:
        """Check that no other database refers to the store; unregister the retired ones unless in a dry run.

        Raises:
            FailedPreconditionError: another database does, or one named as retired is in use.
            UnavailableError: the store does not answer.
        """
        self._register_unless_full()
        owners = self._store.owners()
        owners.pop(self._identity(), None)
        retired = owners.keys() & set(retired_database_ids)
        self._check_retired({database_id: owners[database_id] for database_id in retired})
        if others := {database_id: owners[database_id] for database_id in owners.keys() - retired}:
            raise FailedPreconditionError(
                f"other databases refer to this store too: {_listed(others)}. Their artifacts are not known here; name "
                "the databases that are retired",
                "retired_database_ids",
            )
        if not dry_run:
            for database_id in retired:
                self._store.forget_owner(database_id)

    def _register_unless_full(self) -> None:
        try:
            self.register()
        except ResourceExhaustedError as error:  # only a collection frees space in a full store
            _log.warning("not registered with the store", reason=error.message)

    def _check_retired(self, retired: dict[str, float]) -> None:
        if not retired:
            return
        now_s = self._store.clock_s()
        in_use = {database_id: seen_s for database_id, seen_s in retired.items() if now_s - seen_s < _IN_USE_S}
        if in_use:
            raise FailedPreconditionError(
                f"these databases are in use, or were recently: {_listed(in_use)}. Stop their orchestrators, and try "
                f"again {_IN_USE_S / 3600:.0f} hours later",
                "retired_database_ids",
            )

    def _identity(self) -> str:
        with self._engine.connect() as connection:
            return str(connection.execute(sa.select(database_identity.c.id)).scalar_one())


def _listed(owners: dict[str, float]) -> str:
    return ", ".join(
        f"{database_id} (last seen {datetime.fromtimestamp(seen_s, UTC):%Y-%m-%d %H:%M} UTC)"
        for database_id, seen_s in sorted(owners.items())
    )
