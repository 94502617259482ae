"""Tables. Messages are stored in binary form; artifacts are only referred to."""

import sqlalchemy as sa

__all__ = [
    "artifact_uses",
    "computations",
    "database_identity",
    "executions",
    "export_files",
    "export_jobs",
    "exports",
    "items",
    "metadata",
    "model_descriptions",
    "model_revisions",
    "replica_loads",
    "runs",
    "samples",
    "step_counts",
]

metadata = sa.MetaData()
_Rowid = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("seq", _Rowid, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(63), nullable=False, unique=True),
    sa.Column("recipe_name", sa.String(128), nullable=False),
    sa.Column("recipe_file", sa.String(1024), nullable=False),
    sa.Column("recipe_text", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False, comment="JSON: the parameters in effect"),
    sa.Column(
        "planned_steps", sa.Text, nullable=False, comment="JSON: [name, call, model, planned executions] per step"
    ),
    sa.Column("model_names", sa.Text, nullable=False, comment="JSON list: models that were registered at submission"),
    sa.Column("content_digest", sa.String(64), nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False, index=True, comment="RunState"),
    sa.Column("priority", sa.SmallInteger, nullable=False, comment="JobPriority"),
    sa.Column("error", sa.Text, nullable=False, default=""),
    sa.Column("num_items", sa.BigInteger, nullable=False, default=0),
    sa.Column("create_time", sa.Float, nullable=False, comment="Unix seconds, as all times here"),
    sa.Column("start_time", sa.Float),
    sa.Column("end_time", sa.Float),
    sa.Column(
        "submitter",
        sa.String(128),
        nullable=False,
        server_default="",
        comment="caller that submitted it; empty without tokens",
    ),
)

_HAS_REASON = sa.text("reason <> ''")
items = sa.Table(
    "items",
    metadata,
    sa.Column("run_id", sa.String(63), primary_key=True),
    sa.Column("item_id", sa.String(128), primary_key=True),
    sa.Column("end_time", sa.Float, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, comment="why it failed; empty when its steps were executed"),
    sa.Index(
        "items_failed",
        "run_id",
        "end_time",
        sqlite_where=sa.text("reason <> ''"),
        postgresql_where=sa.text("reason <> ''"),
    ),
)

database_identity = sa.Table(
    "database_identity",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True, comment="only row: names the database in the artifact store"),
)

step_counts = sa.Table(
    "step_counts",
    metadata,
    sa.Column("run_id", sa.String(63), primary_key=True),
    sa.Column("step", sa.String(256), primary_key=True, comment="a step of the recipe, or a counter of the run"),
    sa.Column("num_accepted", sa.BigInteger, nullable=False, default=0),
    sa.Column("num_rejected", sa.BigInteger, nullable=False, default=0),
    sa.Column("num_failed", sa.BigInteger, nullable=False, default=0),
    sa.Column("num_skipped", sa.BigInteger, nullable=False, default=0),
    sa.Column("num_reused", sa.BigInteger, nullable=False, default=0),
    sa.Column("duration_s", sa.Float, nullable=False, default=0.0),
)

computations = sa.Table(
    "computations",
    metadata,
    sa.Column("content_key", sa.String(64), primary_key=True),
    sa.Column("call", sa.String(128), nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("revision", sa.String(255), nullable=False),
    sa.Column("request", sa.LargeBinary, nullable=False),
    sa.Column("result", sa.LargeBinary, comment="absent while all attempts have failed"),
    sa.Column("create_time", sa.Float, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Index("computations_by_model", "call", "model", "create_time"),
)

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("run_id", sa.String(63), primary_key=True),
    sa.Column("item_id", sa.String(128), primary_key=True),
    sa.Column("step", sa.String(128), primary_key=True),
    sa.Column("instance", sa.Integer, primary_key=True),
    sa.Column("content_key", sa.String(64), nullable=False, comment="empty when it was skipped"),
    sa.Column("verdict", sa.SmallInteger, nullable=False, comment="Verdict"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reused", sa.Boolean, nullable=False),
    sa.Column("parents", sa.Text, nullable=False, comment="JSON list of [step, instance]: the lineage"),
    sa.Column("start_time", sa.Float, nullable=False),
    sa.Column("duration_s", sa.Float, nullable=False),
    sa.Column("num_attempts", sa.Integer, nullable=False),
)

artifact_uses = sa.Table(
    "artifact_uses",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(128), primary_key=True, comment="content key, `run:<id>` or `export:<id>`"),
    sa.Column("role", sa.String(8), primary_key=True, comment="in or out"),
    sa.Index("artifact_uses_by_owner", "owner"),
)

samples = sa.Table(
    "samples",
    metadata,
    sa.Column("seq", _Rowid, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(256), nullable=False, unique=True),
    sa.Column("run_id", sa.String(63), nullable=False),
    sa.Column("item_id", sa.String(128), nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="SampleKind"),
    sa.Column("verdict", sa.SmallInteger, nullable=False, comment="Verdict"),
    sa.Column("reason", sa.Text, nullable=False, comment="of a verdict other than accepted"),
    sa.Column("group_id", sa.String(128), nullable=False, index=True),
    sa.Column("create_time", sa.Float, nullable=False),
    sa.Column("parents", sa.Text, nullable=False, comment="JSON list of [step, instance]: the lineage"),
    sa.Column("message", sa.LargeBinary, nullable=False, comment="the Sample message"),
    sa.Index("samples_by_run", "run_id", "seq"),
    sa.Index("samples_by_item", "run_id", "item_id", "seq"),
)

model_revisions = sa.Table(
    "model_revisions",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("revision", sa.String(255), primary_key=True),
    sa.Column("family", sa.String(128), nullable=False),
    sa.Column("model", sa.LargeBinary, nullable=False, comment="the Model message, licences included"),
    sa.Column("create_time", sa.Float, nullable=False),
)

model_descriptions = sa.Table(
    "model_descriptions",
    metadata,
    sa.Column("name", sa.String(128), primary_key=True, comment="name in recipes"),
    sa.Column("model", sa.LargeBinary, nullable=False, comment="the Model message"),
    sa.Column("address", sa.String(1024), nullable=False, comment="address at that time"),
    sa.Column("update_time", sa.Float, nullable=False),
)

replica_loads = sa.Table(
    "replica_loads",
    metadata,
    sa.Column("executor_id", sa.String(64), primary_key=True),
    sa.Column("loads", sa.Text, nullable=False, comment="JSON: load by model"),
    sa.Column("update_time", sa.Float, nullable=False),
)

export_jobs = sa.Table(
    "export_jobs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="digest of the ExportRunRequest"),
    sa.Column("progress", sa.LargeBinary, nullable=False, comment="the Progress message"),
    sa.Column("result", sa.LargeBinary, comment="the ExportResult message, once there is one"),
    sa.Column("error", sa.Text, comment="JSON: why the export failed for good"),
    sa.Column("update_time", sa.Float, nullable=False),
)

exports = sa.Table(
    "exports",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("run_id", sa.String(63), nullable=False, index=True),
    sa.Column("format", sa.SmallInteger, nullable=False, comment="ExportFormat"),
    sa.Column("embed_media", sa.Boolean, nullable=False),
    sa.Column("num_samples", sa.BigInteger, nullable=False),
    sa.Column("create_time", sa.Float, nullable=False),
    sa.Column("result", sa.LargeBinary, nullable=False, comment="the ExportResult message"),
    sa.Column("request", sa.LargeBinary, comment="the ExportRunRequest message"),
)

export_files = sa.Table(
    "export_files",
    metadata,
    sa.Column("content_key", sa.String(64), primary_key=True),
    sa.Column("artifact", sa.LargeBinary, nullable=False, comment="the Artifact message"),
    sa.Column("create_time", sa.Float, nullable=False),
)
