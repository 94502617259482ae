"""Runs migrations on the connection that the orchestrator hands over."""

from alembic import context

from lumenmill_orchestrator.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
