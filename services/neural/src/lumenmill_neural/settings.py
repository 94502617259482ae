"""Settings of services with neural models, in addition to those of every service."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from lumenmill_common.settings import ServiceSettings

__all__ = ["NeuralSettings"]


class NeuralSettings(ServiceSettings):
    """Each field is the environment variable LUMENMILL_<FIELD>, in capitals."""

    num_workers: int = Field(default=1, ge=1, le=1, description="1: a model is one pipeline on one device.")
    model: str = Field(description="Name of a model in the service's presets.yaml, for example FLUX.1-dev.")
    presets_file: Path | None = Field(
        default=None, description="YAML file of your own models, in the format of the service's presets.yaml."
    )
    checkpoint: str = Field(
        default="", description="Hub id, folder, or artifact:<sha256> of the store; empty: as presets.yaml says."
    )
    checkpoint_revision: str = Field(
        default="", description="Commit of the hub repository; empty: as presets.yaml says."
    )
    part_checkpoints: dict[str, str] = Field(
        default_factory=dict,
        description="Checkpoints of parts and of the model's own adapters, as JSON: "
        '{"depth": "/models/depth", "normals": "<hub id>@<commit>"}; an empty name leaves the part out.',
    )
    cache_dir: Path | None = Field(default=None, description="Folder for checkpoints; empty: the hub library's cache.")
    offline: bool = Field(default=False, description="Never contact the hub: checkpoints must be in the cache.")
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:<index>."
    )
    gpus: int = Field(
        default=1, ge=1, le=64, description="GPUs that share each clip, for models that support context parallelism."
    )
    batch_size: int = Field(
        default=0,
        ge=0,
        le=320,
        description="Images computed at once at most; a clip counts as five, so that ⌈batch_size / 5⌉ clips are. 0: as "
        "many as the memory tier allows.",
    )
    memory_limit_gib: float | None = Field(
        default=None, gt=0, description="Most memory of the device that may be used; it also selects the tier."
    )
    profile: Literal["lossless", "fast"] = Field(
        default="lossless", description="lossless, or fast with different pictures: see presets.yaml."
    )
    fp8: bool = Field(
        default=False, description="With profile fast: the denoiser in 8-bit floats, on Ada, Hopper and later GPUs."
    )
    compile: bool = Field(default=False, description="Compile the repeated blocks of the denoiser with torch.compile.")
    attention_backend: str = Field(
        default="", max_length=64, description="Name of an attention backend of diffusers, for example _native_cudnn."
    )
    max_media_bytes: int = Field(default=256 << 20, ge=1 << 10, description="Largest media file, in bytes.")
    max_media_pixels: int = Field(default=64_000_000, ge=1 << 10, description="Largest image or frame, in pixels.")
    video_encoding: Literal["crf", "bitrate"] = Field(
        default="crf", description="Constant quality, or a bitrate for players and networks that need one."
    )
