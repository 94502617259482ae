"""Settings of the orchestrator: the environment, read once."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from lumenmill_common.settings import ServiceSettings
from lumenmill_orchestrator.mesh import parse_addresses

__all__ = ["OrchestratorSettings"]


class OrchestratorSettings(ServiceSettings):
    """What the orchestrator reads besides what every service reads. Each is LUMENMILL_<FIELD>, in capitals."""

    database_url: str = Field(
        default="sqlite:///./.lumenmill/orchestrator.sqlite",
        description="`sqlite:///file` or `postgresql://user:password@host/database`.",
    )
    database_url_file: Path | None = Field(
        default=None, description="File that holds the URL of the database instead, so that no password is shown."
    )
    models: str = Field(
        default="",
        description="The models of the mesh: a JSON or YAML file of names and addresses, read again when it changes, "
        "or the mapping itself, `{studio: 127.0.0.1:5001}`. `dns:///name:port` stands for every address of a name, "
        "`ipv4:address:port,address:port` for several processes.",
    )
    executor_id: str = Field(
        default="orchestrator-0",
        pattern="^[A-Za-z0-9._-]{1,64}$",
        description="Identity of this replica, the same after every restart; on a cluster, the StatefulSet's pod name.",
    )
    prefetch: int = Field(
        default=4,
        ge=0,
        le=1000,
        description="Jobs sent to a pod beyond its workers at most, so that no worker waits for the next one.",
    )
    num_active_batches: int = Field(
        default=2, ge=1, le=64, description="Batches of one run that are executed at once; bounds memory."
    )
    retry_timeout_s: float = Field(
        default=600.0,
        ge=0,
        description="Seconds for which a model may be unavailable, with no pod being started, before its steps fail.",
    )
    max_upload_bytes: int = Field(
        default=8 << 30,
        ge=1,
        description="Bytes of all files together that are being uploaded; they are in /tmp until they are complete.",
    )
    max_upload_bytes_per_caller: int = Field(
        default=4 << 30,
        ge=1,
        description="Bytes of the files that one caller is uploading, where callers have tokens of their own; parts of "
        "the mesh have no such limit.",
    )
    reassign_after_s: float = Field(
        default=300.0,
        ge=15,
        description="Seconds without a heartbeat after which the workflows of a replica are reassigned to the others; "
        "each replica writes a heartbeat every 10 s.",
    )
    kubernetes_namespace: str = Field(
        default="", description="Namespace in which the mesh runs on Kubernetes. Empty: no Kubernetes."
    )
    kubernetes_release: str = Field(
        default="lumenmill", description="Helm release whose pods are the mesh's (app.kubernetes.io/instance)."
    )
    gpu_resource: str = Field(
        default="nvidia.com/gpu", min_length=1, description="Resource that nodes offer and pods request as GPUs."
    )
    gpu_type_label: str = Field(
        default="nvidia.com/gpu.product", min_length=1, description="Label of nodes with the type of their GPUs."
    )
    scaler_address: str = Field(
        default="", description="host:port for KEDA's external scaler; port 0 picks one. Empty: not served."
    )
    export_job_template: Path | None = Field(
        default=None,
        description="Manifest of a batch/v1 Job in which exports run. Absent: they run in the orchestrator.",
    )

    @field_validator("export_job_template", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return value or None

    @field_validator("models")
    @classmethod
    def _addresses(cls, value: str) -> str:
        if value.lstrip().startswith("{"):
            parse_addresses(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_database_url(cls, values: dict[str, Any]) -> dict[str, Any]:
        file = values.get("database_url_file")
        if file:
            try:
                values["database_url"] = Path(file).read_text().strip()
            except OSError as error:
                raise ValueError(f"LUMENMILL_DATABASE_URL_FILE {file} cannot be read: {error.strerror}") from None
        return values
