"""What models say of themselves is remembered for times in which none of their pods serves."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "known_models",
        sa.Column("name", sa.String(length=128), nullable=False, comment="as recipes call it"),
        sa.Column("model", sa.LargeBinary(), nullable=False, comment="the Model message"),
        sa.Column("address", sa.String(length=1024), nullable=False, comment="where it was registered then"),
        sa.Column("seen_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("known_models")
