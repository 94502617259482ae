"""Settings of the prompter, from the environment."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from lumenmill_common.settings import ServiceSettings

__all__ = ["FamilyName", "PrompterSettings"]


class FamilyName(StrEnum):
    """Which family serves the contract."""

    GRAMMAR = "grammar"
    OPENAI = "openai"


class PrompterSettings(ServiceSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    family: FamilyName = Field(default=FamilyName.GRAMMAR, description="`grammar` or `openai`.")
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", description="Base URL of an OpenAI-compatible endpoint."
    )
    openai_model: str = Field(default="", description="Model name at the endpoint; needed by `openai`.")
    openai_revision: str = Field(
        default="unpinned", description="Revision of the model as the operator pins it; part of every content key."
    )
    openai_api_key_file: Path | None = Field(
        default=None, description="File that holds the API key. Absent: a local endpoint that needs none."
    )
    openai_licence: str = Field(
        default="LicenseRef-unknown", description="SPDX identifier of the terms of the model's outputs."
    )
    openai_allows_commercial_use: bool | None = Field(
        default=None, description="Whether outputs may be used commercially. Absent: unknown."
    )
    openai_temperature: float = Field(default=1.0, ge=0.0, le=2.0, description="Sampling temperature.")
    openai_timeout_s: float = Field(default=120.0, gt=0.0, description="Seconds that one request may take.")
    openai_max_attempts: int = Field(
        default=5, ge=1, le=20, description="Attempts at one request, when the endpoint fails or limits the rate."
    )
    openai_max_repairs: int = Field(
        default=2, ge=0, le=10, description="Times that the errors of an answer are sent back to be mended."
    )
    openai_max_backoff_s: float = Field(default=60.0, ge=0.0, description="Longest wait between two attempts.")
    openai_concurrency: int = Field(default=4, ge=1, le=64, description="Requests of one job that run at once.")
    openai_max_completion_tokens: int = Field(default=16384, ge=256, description="Most tokens of one answer.")
    openai_usd_per_million_prompt_tokens: float | None = Field(
        default=None, ge=0.0, description="Price of tokens sent; without both prices no cost is reported."
    )
    openai_usd_per_million_completion_tokens: float | None = Field(
        default=None, ge=0.0, description="Price of tokens received."
    )
