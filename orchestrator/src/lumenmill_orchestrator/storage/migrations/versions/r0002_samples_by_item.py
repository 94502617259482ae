"""An index for lists of samples in the order of items."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("samples_by_item", "samples", ["run_id", "item_id", "seq"], unique=False)


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("samples_by_item", "samples")
