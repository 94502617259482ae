"""Fetch everything that a service's model needs into the cache, so that the service can start offline.

`python -m lumenmill_neural.fetch lumenmill_video` reads the same environment and catalogue as the service. It needs no
device. What is in the cache already is not fetched again, and the hub is not asked about it.
"""

import importlib
import re
import sys
import time

from huggingface_hub.utils import disable_progress_bars

from lumenmill_common.artifacts import open_store_from
from lumenmill_common.errors import LumenmillError
from lumenmill_common.settings import load_settings
from lumenmill_common.telemetry import configure_logging, get_logger
from lumenmill_neural.settings import NeuralSettings
from lumenmill_neural.weights import ServiceModels, Weights, entry_of

__all__ = ["fetch"]

_log = get_logger(__name__)
_SERVICE = re.compile(r"lumenmill_[a-z_]+")


def fetch(models: ServiceModels, settings: NeuralSettings) -> None:
    """Fetch the checkpoints of the model that the settings name; the settings are of the service's type.

    Raises:
        FailedPreconditionError: there is no such model; or a checkpoint is inaccessible, incomplete or too large for
            the disk.
        UnavailableError: the hub or the store cannot be reached.
    """
    started_s = time.monotonic()
    weights = Weights(entry_of(settings, models.catalogue(settings)), settings, open_store_from(settings))
    for name, found in weights.all(models.unused_parts(settings)):
        _log.info("fetched", model=settings.model, name=name, revision=found.revision, folder=str(found.folder))
    _log.info("fetched all", model=settings.model, duration_s=round(time.monotonic() - started_s, 3))


def _models_of(package: str) -> ServiceModels:
    module = f"{package}.models"
    try:
        models = importlib.import_module(module).MODELS
    except ModuleNotFoundError as error:
        if error.name not in {package, module}:
            raise
        raise SystemExit(f"{package} is no service with neural models, or is not installed") from None
    if not isinstance(models, ServiceModels):
        raise TypeError(f"{module}.MODELS is no ServiceModels")
    return models


def main() -> None:
    """Fetch, or exit with code 1 and one line that says what to do."""
    if len(sys.argv) != 2 or not _SERVICE.fullmatch(sys.argv[1]):
        raise SystemExit("usage: python -m lumenmill_neural.fetch lumenmill_<service>")
    models = _models_of(sys.argv[1])
    settings = load_settings(models.settings_type)
    configure_logging(settings, "fetch")
    disable_progress_bars()
    try:
        fetch(models, settings)
    except LumenmillError as error:
        raise SystemExit(error.message) from None
    except OSError as error:  # a full or read-only disk
        raise SystemExit(f"LUMENMILL_CACHE_DIR: {error}") from None


if __name__ == "__main__":
    main()
