"""Replicas of the orchestrator tell each other of the work that their models have."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "model_loads",
        sa.Column("executor_id", sa.String(length=64), nullable=False),
        sa.Column("loads", sa.Text(), nullable=False, comment="JSON: load by model"),
        sa.Column("time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("model_loads")
