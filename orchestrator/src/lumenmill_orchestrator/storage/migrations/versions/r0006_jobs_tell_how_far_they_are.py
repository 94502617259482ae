"""Jobs that run in pods of their own tell how far they are, and what came out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "pod_jobs",
        sa.Column("id", sa.String(length=64), nullable=False, comment="digest of what was asked for"),
        sa.Column("progress", sa.LargeBinary(), nullable=False, comment="the Progress message"),
        sa.Column("result", sa.LargeBinary(), nullable=True, comment="the result message, when there is one"),
        sa.Column("error", sa.Text(), nullable=True, comment="JSON: what was wrong with what was asked for"),
        sa.Column("time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("pod_jobs")
