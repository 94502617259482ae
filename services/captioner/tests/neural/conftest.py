"""A captioner of the family `vision_language` on port 0, with a tiny checkpoint behind the production loading code."""

import contextlib
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import grpc
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, LogitsProcessor

from lumenmill.captioner.v1 import captioner_pb2, captioner_pb2_grpc
from lumenmill.common.v1 import model_pb2, model_pb2_grpc
from lumenmill_captioner.families import PhotometricFamily, family_from
from lumenmill_captioner.families.vision_language import VisionLanguageFamily, VisionLanguageSettings
from lumenmill_captioner.families.vision_language.aesthetics import Aesthetics
from lumenmill_common.artifacts import ArtifactStore, open_store_from
from lumenmill_common.calls import call_heavy, call_unary
from lumenmill_common.families import Family, family_service
from lumenmill_common.jobs import jobs_from
from lumenmill_common.testing import running_service
from lumenmill_media import put_png
from lumenmill_neural.catalogue import read_catalogue
from lumenmill_neural.host import ModelHost
from lumenmill_neural.testing import TinyCheckpoints, tiny_settings

from .tiny import PARTS, SAVERS


class Dictated(LogitsProcessor):
    """Makes a model write given texts, one for each answer: all tokens but the next one of the text are masked."""

    def __init__(self, checkpoint: Path, *texts: str) -> None:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        warm_up = "."  # the word that is written when the model is loaded
        self._answers = [[*tokenizer(text).input_ids, tokenizer.eos_token_id] for text in (warm_up, *texts)]
        self._left: list[int] = []
        self._length = -1

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] != self._length + 1:
            self._left = self._answers.pop(0)
        self._length = input_ids.shape[1]
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self._left.pop(0)] = 0.0
        return forced


@dataclass
class Captioner:
    """A running captioner and the store that it shares with its callers."""

    channel: grpc.aio.Channel
    store: ArtifactStore
    settings: VisionLanguageSettings

    def __post_init__(self) -> None:
        self.stub = captioner_pb2_grpc.CaptionerServiceStub(self.channel)

    async def model(self) -> model_pb2.Model:
        stub = model_pb2_grpc.ModelServiceStub(self.channel)
        return (await call_unary(stub.GetModel, model_pb2.GetModelRequest())).model

    async def caption(
        self, request_id: str, subject: captioner_pb2.Subject, **fields: Any
    ) -> captioner_pb2.CaptionResult:
        request = captioner_pb2.CaptionRequest(job={"request_id": request_id}, subject=subject, **fields)
        return await call_heavy(self.stub.Caption, request)


def picture(seed: int = 0, size_px: tuple[int, int] = (90, 60)) -> Image.Image:
    """Coloured noise."""
    shape = (size_px[1], size_px[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def image_subject(store: ArtifactStore, seed: int = 0) -> captioner_pb2.Subject:
    return captioner_pb2.Subject(media=put_png(store, picture(seed)))


def clip_subject(store: ArtifactStore, num_frames: int = 12) -> captioner_pb2.Subject:
    """A still picture, lossless, that grows darker."""
    path = io.BytesIO()
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264rgb", rate=12, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        for index in range(num_frames):
            pixels = np.asarray(picture(7, (96, 64)), np.float64) * (1.0 - 0.5 * index / num_frames)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return captioner_pb2.Subject(media=store.put_bytes(path.getvalue(), "video/mp4"))


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory: pytest.TempPathFactory) -> TinyCheckpoints:
    """Return the folders of all tiny checkpoints."""
    return TinyCheckpoints(tmp_path_factory.mktemp("checkpoints"), SAVERS | PARTS)


def _family_with(
    settings: VisionLanguageSettings, speaker: list[LogitsProcessor], num_tokens: int | None
) -> VisionLanguageFamily:
    """The family with logits processors, or with another number of tokens, since random weights never end an answer."""
    catalogue = dict(read_catalogue("lumenmill_captioner"))
    if num_tokens is not None:
        entry = catalogue[settings.model]
        presets = {
            name: preset.model_copy(update={"arguments": preset.arguments | {"max_new_tokens": num_tokens}})
            for name, preset in entry.presets.items()
        }
        catalogue[settings.model] = entry.model_copy(update={"presets": presets})
    host = ModelHost(settings, open_store_from(settings), catalogue)
    measuring = PhotometricFamily(host.store, settings.limits(), settings.num_clip_samples)
    aesthetics = Aesthetics(host, settings.aesthetic_heads)
    return VisionLanguageFamily(host, measuring, settings.limits(), aesthetics, speaker)


@pytest.fixture
def serving(tmp_path: Path, checkpoint_of: TinyCheckpoints) -> Any:
    """`async with serving(model, *dictated texts, num_tokens=..., processors=..., **settings) as captioner`."""

    @contextlib.asynccontextmanager
    async def serve(
        model: str,
        *dictated: str,
        num_tokens: int | None = None,
        processors: Sequence[LogitsProcessor] = (),
        **given: Any,
    ) -> AsyncIterator[Captioner]:
        values = tiny_settings(tmp_path, model, checkpoint_of(model), family="vision_language", **given)
        settings = VisionLanguageSettings(**values)
        if not (dictated or processors or num_tokens):
            family: Family = family_from(settings)
        else:
            speaker = [Dictated(Path(settings.checkpoint), *dictated)] if dictated else []
            family = _family_with(settings, [*speaker, *processors], num_tokens)
        service = family_service(family, jobs_from(settings, "captioner"), captioner_pb2.DESCRIPTOR)
        async with running_service(service, settings) as channel:
            yield Captioner(channel, open_store_from(settings), settings)

    return serve
