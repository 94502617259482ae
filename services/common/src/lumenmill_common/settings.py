"""Settings of a service: the environment, read once at start, validated, frozen."""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lumenmill_common.errors import InvalidArgumentError, UnavailableError
from lumenmill_common.secret_files import read_secret

__all__ = ["LogFormat", "SecuritySettings", "ServiceSettings", "StoreSettings", "load_settings", "read_settings"]


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LUMENMILL_", frozen=True, extra="ignore")

    @field_validator("*", mode="before")
    @classmethod
    def _names_a_file(cls, value: object, info: ValidationInfo) -> object:
        """Refuse file variables that are set but empty: read as absent, they would turn a check off."""
        field = cls.model_fields[info.field_name or ""]
        if value == "" and field.annotation == Path | None:
            raise ValueError(f"is set but empty; unset it, or name a file. {field.description}")
        return value


SettingsT = TypeVar("SettingsT", bound=_Settings)


class StoreSettings(_Settings):
    """The artifact store and its credentials."""

    store_url: str = Field(default="file://./.lumenmill/store", description="`file:///folder` or `s3://bucket/prefix`.")
    s3_endpoint: str = Field(
        default="",
        description="host:port of the S3 service, also after http:// or https://; needed for s3:// stores.",
    )
    s3_region: str = Field(default="us-east-1", description="Region of the bucket.")
    s3_secure: bool | None = Field(
        default=None, description="HTTPS towards the S3 service. Absent: as the endpoint begins, else HTTPS."
    )
    s3_ca_file: Path | None = Field(
        default=None, description="PEM certificates to check the S3 service against. Absent: the public authorities."
    )
    s3_access_key_file: Path | None = Field(default=None, description="File that holds the access key.")
    s3_secret_key_file: Path | None = Field(default=None, description="File that holds the secret key.")

    @field_validator("store_url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if not value.startswith(("file://", "s3://")):
            raise ValueError("must start with file:// or s3://")
        return value


class SecuritySettings(_Settings):
    """TLS and token, for servers and for clients of the mesh."""

    tls_cert_file: Path | None = Field(default=None, description="PEM certificate chain of this process.")
    tls_key_file: Path | None = Field(default=None, description="PEM private key of this process.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="PEM certificates that servers are checked against; turns TLS on for outgoing calls.",
    )
    tls_client_ca_file: Path | None = Field(
        default=None,
        description="PEM certificates of the authority of callers' certificates (mTLS). Absent: none are needed.",
    )
    token_file: Path | None = Field(
        default=None,
        description="File that holds the bearer token that this process sends, and requires of callers unless there "
        "is a table of callers. Absent: none is sent.",
    )
    callers_file: Path | None = Field(
        default=None,
        description="Table of those who may call: their names, roles and the digests of their tokens, a JSON object on "
        "each line. Absent: the token of LUMENMILL_TOKEN_FILE, or without it nothing, is required.",
    )

    @model_validator(mode="after")
    def _cert_with_key(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("set LUMENMILL_TLS_CERT_FILE and LUMENMILL_TLS_KEY_FILE together")
        return self

    @field_validator("token_file")
    @classmethod
    def _has_token(cls, value: Path | None) -> Path | None:
        """Refuse a file without a token: a server would otherwise start that nobody may call, or everybody."""
        if value is not None:
            try:
                read_secret(value)
            except ValueError as error:
                raise ValueError(f"{error}. Its content: {cls.model_fields['token_file'].description}") from None
        return value

    def token(self) -> SecretStr | None:
        """Return the token, read from its file at each call since it may be rotated; None if none is required.

        Raises:
            UnavailableError: the file cannot be read or has no token, for example while it is replaced.
        """
        if self.token_file is None:
            return None
        try:
            return read_secret(self.token_file)
        except ValueError as error:
            raise UnavailableError(f"LUMENMILL_TOKEN_FILE: {error}") from None


class ServiceSettings(StoreSettings, SecuritySettings):
    """Settings of every service. Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    listen_address: str = Field(default="127.0.0.1:50051", description="host:port to serve gRPC on; port 0 picks one.")
    metrics_address: str = Field(
        default="127.0.0.1:9464", description="host:port for Prometheus metrics; port 0 picks one, empty turns it off."
    )
    health_address: str = Field(
        default="",
        description="host:port that serves health alone, without TLS or token, for a cluster's probes; empty: none.",
    )
    address_file: Path | None = Field(
        default=None, description="JSON file to write the bound addresses to, once the ports are open."
    )
    num_workers: int = Field(default=1, ge=1, le=64, description="Jobs that run at once; one for each device.")
    max_queue_length: int = Field(default=64, ge=1, le=100_000, description="Jobs that may wait.")
    max_queued_jobs_per_caller: int = Field(
        default=32,
        ge=1,
        le=100_000,
        description="Jobs of one caller that may wait, where callers have tokens of their own; parts of the mesh have "
        "no such limit.",
    )
    grace_period_s: float = Field(
        default=60.0, ge=0, description="Seconds that a job lives on after its last caller disconnected."
    )
    result_ttl_s: float = Field(
        default=900.0, ge=0, description="Seconds that a finished result is remembered for callers that attach again."
    )
    persist_results_over_s: float = Field(
        default=1.0,
        ge=0,
        description="Results of jobs that took at least this long are persisted, for callers after a restart.",
    )
    drain_s: float = Field(default=30.0, ge=0, description="Seconds that running jobs get on SIGTERM.")
    log_format: LogFormat = Field(default=LogFormat.JSON, description="`json` or `console`.")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level logged.")


def load_settings(settings_type: type[SettingsT]) -> SettingsT:
    """Read the environment once, for a process that cannot start without it.

    Raises:
        SystemExit: with one line for each wrong variable, naming the variable and the correct values.
    """
    try:
        return read_settings(settings_type)
    except InvalidArgumentError as error:
        lines = [f"{variable}: {problem}" if variable else problem for variable, problem in error.violations]
        raise SystemExit("\n".join(["wrong settings:", *lines])) from None


def read_settings(settings_type: type[SettingsT], **given: Any) -> SettingsT:
    """Read the environment; `given` values take precedence.

    Raises:
        InvalidArgumentError: names every wrong variable and the correct values.
    """
    try:
        return settings_type(**given)
    except ValidationError as error:
        first, *others = [_violation(problem["loc"], problem["msg"]) for problem in error.errors()]
        raise InvalidArgumentError(*first, *others) from None


def _violation(place: tuple[int | str, ...], message: str) -> tuple[str, str]:
    """Return a wrong variable and its problem; the variable is empty for problems of several variables."""
    variable = f"LUMENMILL_{'_'.join(str(part) for part in place).upper()}" if place else ""
    return variable, message.removeprefix("Value error, ")
