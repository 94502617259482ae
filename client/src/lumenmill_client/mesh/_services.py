"""The processes of the local mesh and their environments."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lumenmill_client.mesh._home import Home
from lumenmill_client.mesh._models_file import AddedModel, read_models_file

__all__ = ["ORCHESTRATOR", "MeshOptions", "ServiceSpec", "environment_of", "services_of"]

ORCHESTRATOR = "orchestrator"


class MeshOptions(BaseModel):
    """Options of the local mesh."""

    model_config = ConfigDict(frozen=True)

    port: int = 0
    """Port of the orchestrator on 127.0.0.1; 0 chooses a free one."""
    environment_maps_dir: Path | None = None
    """Folder of `.hdr` and `.exr` maps for studio."""
    assets_dir: Path | None = None
    """Folder of the user's 3D meshes for studio."""

    models_file: Path | None = None
    """Models to add; see `read_models_file`."""

    def absolute(self) -> "MeshOptions":
        """Return the options with absolute paths."""
        paths = {name: getattr(self, name) for name in ("environment_maps_dir", "assets_dir", "models_file")}
        return self.model_copy(update={name: path and path.absolute() for name, path in paths.items()})


@dataclass(frozen=True)
class ServiceSpec:
    """One process of the mesh."""

    name: str
    module: str
    environment: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    """The model in recipes, which several processes may serve; empty: it has the name of the process."""

    @property
    def model_name(self) -> str:
        """The name of the model in recipes; that of the orchestrator is its own."""
        return self.model or self.name


def services_of(options: MeshOptions, home: Home) -> list[ServiceSpec]:
    """Return the processes of the local mesh, with a prompter for the LLM endpoint of the environment, if any."""
    folders = {
        "LUMENMILL_ENVIRONMENT_MAPS_DIR": options.environment_maps_dir,
        "LUMENMILL_ASSETS_DIR": options.assets_dir,
    }
    studio = {variable: str(folder.absolute()) for variable, folder in folders.items() if folder}
    services = [
        ServiceSpec("grammar", "lumenmill_prompter", {"LUMENMILL_FAMILY": "grammar"}),
        ServiceSpec("studio", "lumenmill_studio", studio),
        ServiceSpec("photometric", "lumenmill_captioner"),
    ]
    if os.environ.get("LUMENMILL_OPENAI_BASE_URL"):
        services.append(ServiceSpec("openai", "lumenmill_prompter", {"LUMENMILL_FAMILY": "openai"}))
    if options.models_file:
        added = read_models_file(options.models_file)
        services += [spec for name, model in added.items() for spec in _specs_of(name, model)]
    orchestrator = {
        "LUMENMILL_DATABASE_URL": f"sqlite:///{home.database}",
        "LUMENMILL_MODELS": str(home.models_file),
    }
    return [*services, ServiceSpec(ORCHESTRATOR, "lumenmill_orchestrator", orchestrator)]


def _specs_of(name: str, model: AddedModel) -> list[ServiceSpec]:
    """Return the processes of a model: one, or one for each of its devices."""
    module, environment = f"lumenmill_{model.service}", model.environment()
    if not model.devices:
        return [ServiceSpec(name, module, environment)]
    return [
        ServiceSpec(f"{name}@{device}", module, {**environment, "LUMENMILL_DEVICE": device}, model=name)
        for device in model.devices
    ]


def environment_of(spec: ServiceSpec, home: Home, port: int) -> dict[str, str]:
    """Return the environment of a process that listens on `port` (0 chooses a free one)."""
    return os.environ | {
        "LUMENMILL_LISTEN_ADDRESS": f"127.0.0.1:{port}",
        "LUMENMILL_METRICS_ADDRESS": "127.0.0.1:0",
        "LUMENMILL_ADDRESS_FILE": str(home.address_file(spec.name)),
        "LUMENMILL_STORE_URL": home.store.as_uri(),
        **spec.environment,
    }
