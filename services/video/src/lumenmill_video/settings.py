"""Settings of the video service, in addition to those of every neural service."""

from pydantic import Field

from lumenmill_neural.settings import NeuralSettings

__all__ = ["VideoSettings"]


class VideoSettings(NeuralSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    batch_size: int = Field(
        default=0,
        ge=0,
        le=320,
        description="Prompts of one batch, counted as in image services: a clip counts as five images, so at most "
        "⌈batch_size / 5⌉ clips are computed at once. 0: as many as the memory tier allows.",
    )
    distilled_lora: str = Field(
        default="",
        description="Hub id, folder or artifact:<sha256> of a LoRA that was distilled for four steps without "
        "guidance. If it is set, Wan models have a preset `four_step`.",
    )
    distilled_lora_revision: str = Field(default="", description="Commit of its hub repository.")
    distilled_lora_file: str = Field(default="", description="Name of its file, if the repository has several.")
