"""A database has an identity, under which it is known to the artifact store that it refers to."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and its one row."""
    table = op.create_table("identity", sa.Column("id", sa.String(length=32), nullable=False, primary_key=True))
    op.bulk_insert(table, [{"id": uuid.uuid4().hex}])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("identity")
