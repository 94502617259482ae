"""The first schema: runs, items, executions, samples, exports, models, and what replicas share."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "artifact_uses",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False, comment="content key, `run:<id>` or `export:<id>`"),
        sa.Column("role", sa.String(length=8), nullable=False, comment="in or out"),
        sa.PrimaryKeyConstraint("sha256", "owner", "role"),
    )
    op.create_index("artifact_uses_by_owner", "artifact_uses", ["owner"], unique=False)
    op.create_table(
        "items",
        sa.Column("run_id", sa.String(length=63), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("end_time", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it failed; empty when its steps were executed"),
        sa.PrimaryKeyConstraint("run_id", "item_id"),
    )
    failed = sa.text("reason <> ''")
    op.create_index(
        "items_failed", "items", ["run_id", "end_time"], sqlite_where=failed, postgresql_where=failed, unique=False
    )
    op.create_table(
        "computations",
        sa.Column("content_key", sa.String(length=64), nullable=False),
        sa.Column("call", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.String(length=255), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=True, comment="absent while all attempts have failed"),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("content_key"),
    )
    op.create_index("computations_by_model", "computations", ["call", "model", "create_time"], unique=False)
    op.create_table(
        "executions",
        sa.Column("run_id", sa.String(length=63), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("step", sa.String(length=128), nullable=False),
        sa.Column("instance", sa.Integer(), nullable=False),
        sa.Column("content_key", sa.String(length=64), nullable=False, comment="empty when it was skipped"),
        sa.Column("verdict", sa.SmallInteger(), nullable=False, comment="Verdict"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("parents", sa.Text(), nullable=False, comment="JSON list of [step, instance]: the lineage"),
        sa.Column("start_time", sa.Float(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("num_attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "item_id", "step", "instance"),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.String(length=63), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False, comment="ExportFormat"),
        sa.Column("embed_media", sa.Boolean(), nullable=False),
        sa.Column("num_samples", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.Column("result", sa.LargeBinary(), nullable=False, comment="the ExportResult message"),
        sa.Column("request", sa.LargeBinary(), nullable=True, comment="the ExportRunRequest message"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_exports_run_id", "exports", ["run_id"], unique=False)
    op.create_table(
        "model_revisions",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.String(length=255), nullable=False),
        sa.Column("family", sa.String(length=128), nullable=False),
        sa.Column("model", sa.LargeBinary(), nullable=False, comment="the Model message, licences included"),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "revision"),
    )
    op.create_table(
        "step_counts",
        sa.Column("run_id", sa.String(length=63), nullable=False),
        sa.Column(
            "step",
            sa.String(length=256),
            nullable=False,
            comment="a step of the recipe, or a counter of the run",
        ),
        sa.Column("num_accepted", sa.BigInteger(), nullable=False),
        sa.Column("num_rejected", sa.BigInteger(), nullable=False),
        sa.Column("num_failed", sa.BigInteger(), nullable=False),
        sa.Column("num_skipped", sa.BigInteger(), nullable=False),
        sa.Column("num_reused", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "step"),
    )
    op.create_table(
        "runs",
        sa.Column("seq", _ROWID, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("recipe_name", sa.String(length=128), nullable=False),
        sa.Column("recipe_file", sa.String(length=1024), nullable=False),
        sa.Column("recipe_text", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False, comment="JSON: the parameters in effect"),
        sa.Column(
            "planned_steps",
            sa.Text(),
            nullable=False,
            comment="JSON: [name, call, model, planned executions] per step",
        ),
        sa.Column(
            "model_names", sa.Text(), nullable=False, comment="JSON list: models that were registered at submission"
        ),
        sa.Column("content_digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False, comment="RunState"),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="JobPriority"),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("num_items", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.Float(), nullable=False, comment="Unix seconds, as all times here"),
        sa.Column("start_time", sa.Float(), nullable=True),
        sa.Column("end_time", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)
    op.create_table(
        "samples",
        sa.Column("seq", _ROWID, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("run_id", sa.String(length=63), nullable=False),
        sa.Column("item_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False, comment="SampleKind"),
        sa.Column("verdict", sa.SmallInteger(), nullable=False, comment="Verdict"),
        sa.Column("reason", sa.Text(), nullable=False, comment="of a verdict other than accepted"),
        sa.Column("group_id", sa.String(length=128), nullable=False),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.Column("parents", sa.Text(), nullable=False, comment="JSON list of [step, instance]: the lineage"),
        sa.Column("message", sa.LargeBinary(), nullable=False, comment="the Sample message"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_samples_group_id", "samples", ["group_id"], unique=False)
    op.create_index("samples_by_run", "samples", ["run_id", "seq"], unique=False)
    op.create_table(
        "export_files",
        sa.Column("content_key", sa.String(length=64), nullable=False),
        sa.Column("artifact", sa.LargeBinary(), nullable=False, comment="the Artifact message"),
        sa.Column("create_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("content_key"),
    )
    table = op.create_table(
        "database_identity",
        sa.Column(
            "id",
            sa.String(length=32),
            nullable=False,
            primary_key=True,
            comment="only row: names the database in the artifact store",
        ),
    )
    op.bulk_insert(table, [{"id": uuid.uuid4().hex}])
    op.create_table(
        "model_descriptions",
        sa.Column("name", sa.String(length=128), nullable=False, comment="name in recipes"),
        sa.Column("model", sa.LargeBinary(), nullable=False, comment="the Model message"),
        sa.Column("address", sa.String(length=1024), nullable=False, comment="address at that time"),
        sa.Column("update_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "replica_loads",
        sa.Column("executor_id", sa.String(length=64), nullable=False),
        sa.Column("loads", sa.Text(), nullable=False, comment="JSON: load by model"),
        sa.Column("update_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("executor_id"),
    )
    op.create_table(
        "export_jobs",
        sa.Column("id", sa.String(length=64), nullable=False, comment="digest of the ExportRunRequest"),
        sa.Column("progress", sa.LargeBinary(), nullable=False, comment="the Progress message"),
        sa.Column("result", sa.LargeBinary(), nullable=True, comment="the ExportResult message, once there is one"),
        sa.Column("error", sa.Text(), nullable=True, comment="JSON: why the export failed for good"),
        sa.Column("update_time", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Drop all tables."""
    for table in (
        "artifact_uses",
        "computations",
        "executions",
        "export_files",
        "exports",
        "database_identity",
        "items",
        "model_descriptions",
        "replica_loads",
        "model_revisions",
        "export_jobs",
        "runs",
        "samples",
        "step_counts",
    ):
        op.drop_table(table)
