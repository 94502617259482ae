"""Rows of the descriptions of models, for times in which none of their pods serves."""

import time

import sqlalchemy as sa

from lumenmill.common.v1 import model_pb2
from lumenmill_orchestrator.storage.database import insert_into
from lumenmill_orchestrator.storage.schema import model_descriptions

__all__ = ["ModelStore"]


class ModelStore:
    """Reads and writes descriptions of models. Synchronous: call it from worker threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def descriptions(self) -> dict[str, model_pb2.Model]:
        """Return the last description of every model, by the name under which recipes call it."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(model_descriptions.c.name, model_descriptions.c.model)).all()
        return {row.name: model_pb2.Model.FromString(row.model) for row in rows}

    def save(self, name: str, address: str, model: model_pb2.Model) -> None:
        """Save the description of a model in place of its last one."""
        values = {"model": model.SerializeToString(deterministic=True), "address": address, "update_time": time.time()}
        statement = insert_into(self._engine, model_descriptions).values(name=name, **values)
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
