"""Models of transformers as a ModelHost hosts them: with the few methods of a diffusers pipeline that it calls."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from accelerate import cpu_offload
from accelerate.hooks import remove_hook_from_module
from PIL import Image
from transformers import PROCESSOR_MAPPING, AutoConfig, AutoModelForImageTextToText

__all__ = ["ImageTextModel", "Turn"]


@dataclass(frozen=True)
class Turn:
    """What one side of a conversation says: pictures first, then words."""

    role: Literal["user", "assistant"]
    text: str
    pictures: Sequence[Image.Image] = ()


class ImageTextModel:
    """A model that reads pictures and words and writes words; load it with `ModelHost.load_pipeline`.

    It is one network, so that of the placements only `resident` and `sequential_offload` are for it.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        self._control_tokens = [str(token) for token in processor.tokenizer.added_tokens_decoder.values()]

    @classmethod
    def from_pretrained(
        cls, folder: str, *, dtype: torch.dtype, use_safetensors: bool, local_files_only: bool, **others: Any
    ) -> "ImageTextModel":
        """From a folder, without code that lies in it. Arguments as those of transformers.

        Raises:
            ValueError: it is of no known architecture, or lacks weights; the library raises OSError, KeyError,
                TypeError and RuntimeError besides.
        """
        given = {"local_files_only": local_files_only, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder, **given)
        if type(config) not in PROCESSOR_MAPPING:
            raise ValueError(f"transformers has no processor for {config.model_type}")
        processor = _for_pictures(PROCESSOR_MAPPING[type(config)]).from_pretrained(folder, **given)
        if processor.chat_template is None:
            raise ValueError("it has no chat template")
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=use_safetensors, output_loading_info=True, **given, **others
        )
        if report["missing_keys"]:  # the library would draw them at random
            raise ValueError(f"it lacks {len(report['missing_keys'])} weights: {sorted(report['missing_keys'])[0]}")
        return cls(model, processor)

    # For the host.

    @property
    def components(self) -> dict[str, Any]:
        """The networks."""
        return {"model": self.model}

    def set_progress_bar_config(self, **config: Any) -> None:
        """There is no progress bar."""

    def remove_all_hooks(self) -> None:
        """Undoes `enable_sequential_cpu_offload`."""
        remove_hook_from_module(self.model, recurse=True)

    def to(self, device: Any) -> None:
        """Moves the weights."""
        self.model.to(device)

    def enable_sequential_cpu_offload(self, device: torch.device) -> None:
        """Weights wait on the host, one layer at a time on the device."""
        cpu_offload(self.model, execution_device=device)

    # For families.

    def inputs(self, turns: Sequence[Turn], image_arguments: Mapping[str, Any], device: torch.device) -> Any:
        """Arguments of `generate` for a conversation whose last turn is the user's, on a device.

        Words that spell a control token of the model come apart, so that they cannot act as one. `image_arguments` are
        those of the model's image processor.
        """
        made = self.processor.apply_chat_template(
            [_message(replace(turn, text=self._as_words(turn.text))) for turn in turns],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"images_kwargs": dict(image_arguments)},
        )
        return made.to(device, dtype=self.model.dtype)

    def _as_words(self, text: str) -> str:
        for token in self._control_tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def text(self, tokens: torch.Tensor) -> str:
        """Words of tokens (N,), without the control tokens among them."""
        return str(self.processor.tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def _message(turn: Turn) -> dict[str, Any]:
    shown = [{"type": "image", "image": picture} for picture in turn.pictures]
    return {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}


def _for_pictures(processor_class: Any) -> Any:
    """The processor of an architecture without its part for clips, which needs torchvision. The library reads the parts
    of a processor, and what it may be given, from the names of the arguments here."""
    takes_length = "image_seq_length" in inspect.signature(processor_class.__init__).parameters

    class ForPictures(processor_class):  # type: ignore[misc]
        def __init__(
            self,
            image_processor: Any = None,
            tokenizer: Any = None,
            image_seq_length: int | None = None,
            chat_template: str | None = None,
        ) -> None:
            own = {"image_seq_length": image_seq_length} if takes_length and image_seq_length is not None else {}
            super().__init__(image_processor, tokenizer, None, chat_template=chat_template, **own)

    return ForPictures
