"""Models of the neural services for tests: tiny checkpoints, and catalogue entries with small pictures."""

import sys
from dataclasses import dataclass
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from lumenmill_neural.testing import save_marigold

__all__ = ["ROOT", "SMALL", "SMALL_CLIP", "SMALL_MAPS", "SmallModel", "module_at"]

ROOT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {"width": 64, "height": 64, "num_inference_steps": 2}
SMALL_CLIP = SMALL | {"num_frames": 5}
SMALL_MAPS: dict[str, Any] = {"num_inference_steps": 1}


def module_at(path: Path) -> ModuleType:
    """Import a module of a service's tests, which are no package, with those beside it that it imports."""
    name = "_".join(path.parts[-3:-1])
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(path.parent)]
        sys.modules[name] = package
    return import_module(f"{name}.{path.stem}")


@dataclass(frozen=True)
class SmallModel:
    """A model of a service, and arguments with which a CPU is fast enough."""

    service: str
    model: str
    arguments: dict[str, Any]

    def settings_in(self, folder: Path) -> dict[str, str]:
        """Save its checkpoint and its entry in a folder, and return the settings that name them."""
        folder.mkdir(exist_ok=True)
        entry = yaml.safe_load(resources.files(f"lumenmill_{self.service}").joinpath("presets.yaml").read_text())[
            self.model
        ]
        entry["arguments"] = entry.get("arguments", {}) | self.arguments
        own, weights = folder / "own.yaml", folder / "weights"
        own.write_text(yaml.safe_dump({self.model: entry}))
        if self.model == "Marigold":
            save_marigold(weights)
        else:
            module_at(ROOT / "services" / self.service / "tests" / "tiny.py").SAVERS[self.model](weights)
        return {"model": self.model, "checkpoint": str(weights), "presets_file": str(own), "device": "cpu"}
