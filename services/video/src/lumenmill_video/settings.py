"""Settings of the video service, in addition to those of every neural service."""

from pydantic import Field

from lumenmill_neural.settings import NeuralSettings

__all__ = ["VideoSettings"]


class VideoSettings(NeuralSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    distilled_lora: str = Field(
        default="",
        description="Hub id, folder or artifact:<sha256> of a LoRA that was distilled for four steps without "
        "guidance. If it is set, Wan models have a preset `four_step`.",
    )
    distilled_lora_revision: str = Field(default="", description="Commit of its hub repository.")
    distilled_lora_file: str = Field(default="", description="Name of its file, if the repository has several.")
