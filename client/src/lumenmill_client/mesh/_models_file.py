"""Models that a user adds to the mesh of one machine: a YAML file.

    flux: {service: imager, model: FLUX.1-dev, checkpoint: /weights/flux}
    wan: {service: video, model: Wan2.1-I2V-14B-480P, devices: ["cuda:1", "cuda:2"]}

Each key is the name of a model in recipes. `service` is the package that serves it, `devices` the devices that each get
a process of it; every other entry is a setting of that service: `checkpoint` is LUMENMILL_CHECKPOINT.
"""

from importlib import util
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError
from lumenmill_common.validation import violations_of

__all__ = ["AddedModel", "read_models_file"]

_RESERVED = ("grammar", "openai", "studio", "photometric", "orchestrator")
_Setting = str | int | float | bool
_Device = Annotated[str, Field(pattern=r"^(cpu|cuda(:\d+)?)$")]


class AddedModel(BaseModel):
    """One model: the service, its devices, and its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, _Setting]

    service: Literal["imager", "relighter", "video", "captioner", "prompter"]
    devices: tuple[_Device, ...] = ()
    """Each gets a process; empty: one process, on the device that its settings name."""

    @model_validator(mode="after")
    def _check_devices(self) -> Self:
        settings = self.__pydantic_extra__
        if self.devices and "device" in settings:
            raise ValueError("give `device` or `devices`, not both")
        if self.devices and settings.get("gpus", 1) != 1:
            raise ValueError(
                "`gpus` of one process share each clip; `devices` are processes of one GPU: give one of both"
            )
        if len(set(self.devices)) != len(self.devices):
            raise ValueError("`devices` names one twice; each gets one process")
        return self

    def environment(self) -> dict[str, str]:
        """Return the settings as environment variables."""
        return {
            f"LUMENMILL_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in self.__pydantic_extra__.items()
        }


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
_FILE = TypeAdapter(dict[_Name, AddedModel])


def read_models_file(path: Path) -> dict[str, AddedModel]:
    """Return the models of a file by name.

    Raises:
        InvalidArgumentError: the file is not valid; names the file and every wrong entry.
        FailedPreconditionError: the service of a model is not installed.
    """
    try:
        models = _FILE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgumentError(str(path), " ".join(str(error).split())) from error
    except ValidationError as error:
        first, *others = [(f"{path}: {location}", problem) for location, problem in violations_of(error)]
        raise InvalidArgumentError(*first, *others) from error
    for name, model in models.items():
        if name in _RESERVED:
            raise InvalidArgumentError(f"{path}: {name}", "is the name of a built-in process; choose another name")
        if util.find_spec(f"lumenmill_{model.service}") is None:
            raise FailedPreconditionError(f"the {model.service} is not installed; run `make neural`", f"{path}: {name}")
    return models
