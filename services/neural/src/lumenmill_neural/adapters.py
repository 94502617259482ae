"""LoRA adapters: the model's own, and those that requests name by digest."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safetensors import safe_open

from lumenmill.common.v1.sampling_pb2 import Adapter
from lumenmill_common.artifacts import ArtifactStore
from lumenmill_common.errors import FailedPreconditionError, InvalidArgumentError, ResourceExhaustedError
from lumenmill_neural.catalogue import ModelEntry, PresetEntry
from lumenmill_neural.checkpoint import check_weights
from lumenmill_neural.device import is_out_of_memory
from lumenmill_neural.lora_formats import DOWN_PROJECTION, converted, unreadable_format
from lumenmill_neural.offload import denoisers_of
from lumenmill_neural.weights import Weights

__all__ = ["Adapters"]

# Adapters of requests that stay loaded; the model's own always do.
_MAX_LOADED = 4
_MAX_BYTES = 4 << 30
# The library recognises adapters by this suffix, and reads other files as pickles.
_FILE = "adapter.safetensors"
_MISFITS = (ValueError, RuntimeError, KeyError, IndexError, AttributeError, TypeError, OSError)
# Its name in diffusers, and in Wan's own code.
_LAST_LAYER = re.compile(r"(^|\.)(proj_out|head\.head)\.")
_RETRY_DELAY_S = 600.0


class Adapters:
    """The adapters that a pipeline has loaded, and those that are active."""

    def __init__(
        self, pipe: Any, entry: ModelEntry, store: ArtifactStore, *, is_context_parallel: bool = False
    ) -> None:
        """`is_context_parallel`: whether several GPUs share the tokens of the pipeline's denoiser."""
        self._pipe, self._entry, self._store = pipe, entry, store
        self._is_context_parallel = is_context_parallel
        self._loaded: OrderedDict[str, str] = OrderedDict()
        self.own_revisions: dict[str, str] = {}
        """Revisions of the model's own adapters that are loaded, by name: commits, or digests of their files."""

    def load_own(self, weights: Weights) -> None:
        """Load the adapters of the entry.

        Raises:
            FailedPreconditionError: one is missing, damaged, or does not fit the model.
        """
        for name, adapter in self._entry.adapters.items():
            found = weights.adapter(name)
            try:
                _load_lora(self._pipe, found.folder / (adapter.weight_name or _only_weights(found.folder)), name)
            except _MISFITS as error:
                raise FailedPreconditionError(
                    f"adapter {name} does not fit: {_first_line(error)}", "adapters"
                ) from error
            self.own_revisions[name] = found.revision

    def activate(self, preset: PresetEntry, requested: Sequence[Adapter]) -> None:
        """Activate the adapters of a preset and of a request, and no others.

        Raises:
            InvalidArgumentError: an adapter of the request cannot be read, or does not fit the model or its placement;
                names its field.
        """
        active = {name: adapter.scale for name, adapter in self._entry.adapters.items() if adapter.always}
        if preset.distilled_lora:
            active[preset.distilled_lora] = self._entry.adapters[preset.distilled_lora].scale
        for index, adapter in enumerate(requested):
            name = self._loaded_name(adapter, f"adapters[{index}].weights", keep=active)
            scale = adapter.scale if adapter.HasField("scale") else 1.0
            if scale:  # DoRA would normalise the weights even at 0
                active[name] = scale
        _refuse_dora_by_layers(self._pipe, active)
        if active:
            self._pipe.enable_lora()
            self._pipe.set_adapters(list(active), adapter_weights=list(active.values()))
        elif self.own_revisions or self._loaded:
            self._pipe.disable_lora()
        self._pipe.lumenmill_active_adapters = tuple(f"{name}={scale}" for name, scale in active.items())

    def _loaded_name(self, adapter: Adapter, field: str, keep: dict[str, float]) -> str:
        if not hasattr(self._pipe, "load_lora_weights"):
            raise InvalidArgumentError("adapters", "this model takes none; leave it empty")
        sha256 = self._store.sha256_of(adapter.weights, field)
        name = self._loaded.get(sha256) or f"lora_{hashlib.sha256(sha256.encode()).hexdigest()[:16]}"
        if sha256 not in self._loaded:
            self._load(adapter, name, field)
            self._loaded[sha256] = name
        self._loaded.move_to_end(sha256)
        for old in list(self._loaded):
            if len(self._loaded) <= _MAX_LOADED:
                break
            if self._loaded[old] not in keep and old != sha256:
                self._pipe.delete_adapters(self._loaded.pop(old))
        return name

    def _load(self, adapter: Adapter, name: str, field: str) -> None:
        stored_as = self._store.stat(self._store.sha256_of(adapter.weights, field))
        if stored_as is not None and stored_as.size_bytes > _MAX_BYTES:
            raise InvalidArgumentError(field, f"has more than {_MAX_BYTES} bytes")
        with self._store.local_file(adapter.weights, field=field) as stored:
            path = stored.rename(stored.with_name(_FILE))
            try:
                check_weights(path)
                _refuse_permanent_changes(self._pipe, path, field)
                if self._is_context_parallel:
                    _refuse_last_layer(path, field)
                _load_lora(self._pipe, path, name)
            except FailedPreconditionError as error:
                raise InvalidArgumentError(field, "is no complete safetensors file") from error
            except _MISFITS as error:
                if is_out_of_memory(error) or isinstance(error, OSError):
                    raise ResourceExhaustedError(
                        f"no room for the adapter: {_first_line(error)}", _RETRY_DELAY_S
                    ) from None
                raise InvalidArgumentError(field, f"does not fit {self._entry.title}: {_first_line(error)}") from error


def _refuse_permanent_changes(pipe: Any, path: Path, field: str) -> None:
    """Refuse files that would change the model beyond the activity of their adapter.

    Raises:
        InvalidArgumentError: the file is in another format, holds more than an adapter (the library writes norms into
            the model itself), or has a pair that widens the model's input.
    """
    unreadable = unreadable_format(path)
    if unreadable:
        raise InvalidArgumentError(field, unreadable)
    embedder = getattr(getattr(pipe, "transformer", None), "x_embedder", None)
    if embedder is None:
        return
    with safe_open(path, "pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - not a mapping
            if ("x_embedder" in key or "img_in" in key) and DOWN_PROJECTION.search(key):
                width = tensors.get_slice(key).get_shape()[1]
                if width > embedder.in_features:
                    raise InvalidArgumentError(
                        field,
                        f"takes {width} inputs where this model has {embedder.in_features}: it is for another model",
                    )


def _refuse_last_layer(path: Path, field: str) -> None:
    """Refuse files that change the last layer: its outputs are gathered from several GPUs, those of an adapter are not.

    Raises:
        InvalidArgumentError: the file holds a pair for the last layer.
    """
    with safe_open(path, "pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - not a mapping
            if _LAST_LAYER.search(key):
                raise InvalidArgumentError(
                    field, f"changes the denoiser's last layer, which a model on several GPUs cannot: {key[:120]}"
                )


def _refuse_dora_by_layers(pipe: Any, names: Iterable[str]) -> None:
    """Refuse DoRA while the layers of a denoiser are on the device one at a time: it reads their weights before that.

    Raises:
        InvalidArgumentError: one of the adapters is in the format DoRA.
    """
    for denoiser in denoisers_of(pipe):
        configs = getattr(denoiser, "peft_config", {})
        is_by_layers = any(parameter.is_meta for parameter in denoiser.parameters())
        if is_by_layers and any(configs[name].use_dora for name in names if name in configs):
            raise InvalidArgumentError(
                "adapters", "has one in the format DoRA, for which this device has too little memory; give one without"
            )


def _load_lora(pipe: Any, path: Path, name: str) -> None:
    """Load a safetensors file as an adapter of a pipeline, completely or not at all.

    Raises:
        ValueError: nothing in it is for this pipeline; the library raises the others of `_MISFITS`.
    """
    try:
        tensors = converted(pipe, path)
        if tensors is not None:
            pipe.load_lora_weights(tensors, adapter_name=name)
        else:
            # Not a pickle, which runs code when it is read.
            pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name, use_safetensors=True)
    except _MISFITS:
        if _holds(pipe, name):
            pipe.delete_adapters(name)
        raise
    if not _holds(pipe, name):
        raise ValueError("it holds no low-rank weights of this model's layers")


def _holds(pipe: Any, name: str) -> bool:
    return any(name in names for names in pipe.get_list_adapters().values())


def _only_weights(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    if len(names) != 1:
        raise ValueError(f"{folder} holds {len(names)} .safetensors files; name one as weight_name")
    return names[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
