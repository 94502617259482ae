"""Exports keep what was asked for, and the files of a dataset that later exports can use again are remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the request to exports, and the table of remembered files."""
    with op.batch_alter_table("exports") as exports:
        exports.add_column(
            sa.Column("request", sa.LargeBinary(), nullable=True, comment="the ExportRunRequest message")
        )
    op.create_table(
        "export_files",
        sa.Column("content_key", sa.String(length=64), nullable=False),
        sa.Column("artifact", sa.LargeBinary(), nullable=False, comment="the Artifact message"),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("content_key"),
    )


def downgrade() -> None:
    """Take both away."""
    op.drop_table("export_files")
    with op.batch_alter_table("exports") as exports:
        exports.drop_column("request")
