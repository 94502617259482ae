"""Runs have the name of the caller that submitted them; that of earlier runs is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "runs",
        sa.Column(
            "submitter",
            sa.String(length=128),
            nullable=False,
            server_default="",
            comment="caller that submitted it; empty without tokens",
        ),
    )


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("submitter")
