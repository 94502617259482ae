"""Aesthetic scores: small heads on embeddings of images, with weights that were published for them.

| Head | Layers | On |
| --- | --- | --- |
| v1 | d → 1 | L2-normalised image embedding of CLIP (LAION aesthetic-predictor) |
| v2 | d → 1024 → 128 → 64 → 16 → 1, no activations | the same (Schuhmann, improved-aesthetic-predictor) |
| v2_5 | as v2 | L2-normalised pooled output of SigLIP (aesthetic-predictor-v2-5) |

Some files, such as those of simple-aesthetics-predictor, hold the vision model too. Its projection must be that of the
backbone, from which the embeddings are taken.
"""

import hashlib
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoImageProcessor, CLIPVisionModelWithProjection, SiglipVisionModel

from lumenmill.common.v1.artifact_pb2 import Licence
from lumenmill_captioner.models import BACKBONES, AestheticName
from lumenmill_common.errors import FailedPreconditionError
from lumenmill_neural.host import ModelHost

__all__ = ["Aesthetics", "some_of"]

_HIDDEN = (1024, 128, 64, 16)
_DIGEST_DIGITS = 12
# Of CLIPVisionModelWithProjection, in files that hold both.
_VISION_PREFIXES = ("vision_model.", "visual_projection.")
_PROJECTION = "visual_projection.weight"
# More than rounding to 16 bits changes the projection, whose values are about 0.01 to 0.1.
_PROJECTION_TOLERANCE = 1e-3
_SETTING = "LUMENMILL_AESTHETIC_HEADS"


@dataclass(frozen=True)
class _Kind:
    part: str
    hidden: tuple[int, ...]


_KINDS: dict[AestheticName, _Kind] = {
    "v1": _Kind(BACKBONES["v1"], ()),
    "v2": _Kind(BACKBONES["v2"], _HIDDEN),
    "v2_5": _Kind(BACKBONES["v2_5"], _HIDDEN),
}


class Aesthetics:
    """The heads that the operator configures, and their backbones, which are parts of the model's entry."""

    def __init__(self, host: ModelHost, heads: Mapping[AestheticName, Path]) -> None:
        self._host, self._paths = host, dict(heads)
        self._heads: dict[AestheticName, Any] = {}
        self._backbones: dict[str, _Backbone] = {}
        self.revision = ""
        """Digests of the weights of all heads; empty without any."""

    def load(self) -> None:
        """Load heads and backbones onto the device.

        Raises:
            FailedPreconditionError: weights are missing, damaged, or of other shapes.
        """
        device, digests = self._host.device.torch_device, []
        for name, path in sorted(self._paths.items()):
            kind = _KINDS[name]
            if kind.part not in self._backbones:
                self._backbones[kind.part] = _Backbone(self._host, kind.part)
            backbone = self._backbones[kind.part]
            weights = backbone.without_vision_model(_weights_in(path), path)
            self._heads[name] = _head(weights, (backbone.width, *kind.hidden, 1), path).to(device)
            digests.append(f"aesthetic_{name}@{_digest(path)}")
        self.revision = "+".join(digests)

    def scores(self, pictures: Sequence[Image.Image]) -> dict[str, float]:
        """Return the mean over the pictures of each head: `aesthetic_v1`, `aesthetic_v2` and `aesthetic_v2_5`."""
        embedded = {part: backbone.embed(pictures) for part, backbone in self._backbones.items()}
        with torch.inference_mode():
            return {
                f"aesthetic_{name}": float(head(embedded[_KINDS[name].part]).mean())
                for name, head in self._heads.items()
            }

    def licences(self) -> list[Licence]:
        """Return the licences of the heads, whose terms are known to the operator."""
        return [
            Licence(subject=f"aesthetic_{name}", spdx_id="LicenseRef-operator-supplied", allows_commercial_use=False)
            for name in sorted(self._paths)
        ]


class _Backbone:
    """A vision model in single precision."""

    def __init__(self, host: ModelHost, part: str) -> None:
        checkpoint = host.part(part)
        if checkpoint is None:
            raise FailedPreconditionError(f"{part} is disabled, but {_SETTING} needs it", "LUMENMILL_PART_CHECKPOINTS")
        self._device, self._part = host.device, part
        model_class = CLIPVisionModelWithProjection if part == "clip" else SiglipVisionModel
        self._output = "image_embeds" if part == "clip" else "pooler_output"
        given = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._processor = AutoImageProcessor.from_pretrained(checkpoint.folder, **given)
            model, report = model_class.from_pretrained(
                checkpoint.folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, **given
            )
            if report["missing_keys"]:
                raise ValueError(f"it lacks {sorted(report['missing_keys'])[0]}")
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            problem = f"{checkpoint.folder} is no {model_class.__name__}: {' '.join(str(error).split())[:300]}"
            raise FailedPreconditionError(f"{part}: {problem}", "LUMENMILL_PART_CHECKPOINTS") from error
        self._model = model.eval().to(self._device.torch_device)
        config = model.config
        self.width = int(config.projection_dim if part == "clip" else config.hidden_size)

    def without_vision_model(self, weights: Mapping[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
        """Return the weights of a head's file without those of a vision model.

        Raises:
            FailedPreconditionError: its vision model is another than this one.
        """
        projection, own = weights.get(_PROJECTION), getattr(self._model, "visual_projection", None)
        if projection is not None and not (own is not None and _are_close(projection, own.weight)):
            raise FailedPreconditionError(
                f"{path} holds another vision model than the part {self._part}, on whose embeddings it would be used",
                _SETTING,
            )
        return {name: tensor for name, tensor in weights.items() if not name.startswith(_VISION_PREFIXES)}

    def embed(self, pictures: Sequence[Image.Image]) -> torch.Tensor:
        """Return embeddings (N, width) of length 1."""
        pixels = self._processor(images=list(pictures), return_tensors="pt").pixel_values
        with torch.inference_mode():
            made = getattr(self._model(pixel_values=pixels.to(self._device.torch_device)), self._output)
            return torch.nn.functional.normalize(made, dim=-1)


def _weights_in(path: Path) -> dict[str, torch.Tensor]:
    """Return tensors by name. Of a pickle only tensors are loaded, and no code is run."""
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, EOFError, SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, TypeError) as error:
        problem = f"{path} holds no weights: {' '.join(str(error).split())[:300]}"
        raise FailedPreconditionError(problem, _SETTING) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST_DIGITS]


def _are_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool(torch.allclose(one.float(), other.float().cpu(), atol=_PROJECTION_TOLERANCE))


def _head(weights: Mapping[str, torch.Tensor], widths: tuple[int, ...], path: Path) -> torch.nn.Module:
    """Return linear layers in the order of the numbers in their names.

    Raises:
        FailedPreconditionError: they have different widths.
    """
    layers = sorted((name for name in weights if name.endswith("weight")), key=_numbers)
    shapes = [tuple(weights[name].shape) for name in layers]
    expected = [(out, into) for into, out in pairwise(widths)]
    if shapes != expected or any(name.removesuffix("weight") + "bias" not in weights for name in layers):
        raise FailedPreconditionError(
            f"{path} has layers of {shapes}, and should have {expected} with biases", _SETTING
        )
    made = torch.nn.Sequential(*(torch.nn.Linear(into, out) for out, into in expected))
    for layer, name in zip(made, layers, strict=True):
        layer.weight.data = weights[name].float()
        layer.bias.data = weights[name.removesuffix("weight") + "bias"].float()
    return cast("torch.nn.Module", made.eval())


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def some_of(pictures: Sequence[Image.Image], num: int) -> list[Image.Image]:
    """Return at most `num` pictures, evenly from the first to the last."""
    indices = np.linspace(0, len(pictures) - 1, min(num, len(pictures))).round().astype(int)
    return [pictures[index] for index in indices]
