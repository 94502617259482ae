"""Models of the transformers library, with the methods of a diffusers pipeline that `ModelHost` calls."""

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
    """One turn of a conversation: pictures, then text."""

    role: Literal["user", "assistant"]
    text: str
    pictures: Sequence[Image.Image] = ()


class ImageTextModel:
    """A model that generates text from pictures and text; load it with `ModelHost.load_pipeline`.

    It is one network, so that only the placements `resident` and `sequential_offload` apply.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
        self._control_tokens = [str(token) for token in processor.tokenizer.added_tokens_decoder.values()]

    @classmethod
    def from_pretrained(
        cls, folder: str, *, dtype: torch.dtype, use_safetensors: bool, local_files_only: bool, **others: Any
    ) -> "ImageTextModel":
        """Load a model from a folder, without running code from it. Arguments as in transformers.

        Raises:
            ValueError: its architecture is unknown, or weights are missing; the library also raises OSError, KeyError,
                TypeError and RuntimeError.
        """
        given = {"local_files_only": local_files_only, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder, **given)
        if type(config) not in PROCESSOR_MAPPING:
            raise ValueError(f"transformers has no processor for {config.model_type}")
        processor = _without_video(PROCESSOR_MAPPING[type(config)]).from_pretrained(folder, **given)
        if processor.chat_template is None:
            raise ValueError("it has no chat template")
        model, report = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=use_safetensors, output_loading_info=True, **given, **others
        )
        if report["missing_keys"]:  # the library would initialise them at random
            raise ValueError(f"it lacks {len(report['missing_keys'])} weights: {sorted(report['missing_keys'])[0]}")
        return cls(model, processor)

    # For `ModelHost`.

    @property
    def components(self) -> dict[str, Any]:
        """The network, by name."""
        return {"model": self.model}

    def set_progress_bar_config(self, **config: Any) -> None:
        """Do nothing: there is no progress bar."""

    def remove_all_hooks(self) -> None:
        """Undo `enable_sequential_cpu_offload`."""
        remove_hook_from_module(self.model, recurse=True)

    def to(self, device: Any) -> None:
        """Move the weights to a device."""
        self.model.to(device)

    def enable_sequential_cpu_offload(self, device: torch.device) -> None:
        """Keep the weights on the host and move one layer at a time to the device."""
        cpu_offload(self.model, execution_device=device)

    # For families.

    def inputs(self, turns: Sequence[Turn], image_arguments: Mapping[str, Any], device: torch.device) -> Any:
        """Return the arguments of `generate` for a conversation whose last turn is the user's, on a device.

        Text that spells a control token of the model is broken up, so that it cannot act as one. `image_arguments` are
        those of the model's image processor.
        """
        made = self.processor.apply_chat_template(
            [_message(replace(turn, text=self._without_control_tokens(turn.text))) for turn in turns],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"images_kwargs": dict(image_arguments)},
        )
        return made.to(device, dtype=self.model.dtype)

    def _without_control_tokens(self, text: str) -> str:
        for token in self._control_tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def text(self, tokens: torch.Tensor) -> str:
        """Return the text of tokens (N,), without control tokens."""
        return str(self.processor.tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def _message(turn: Turn) -> dict[str, Any]:
    shown = [{"type": "image", "image": picture} for picture in turn.pictures]
    return {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}


def _without_video(processor_class: Any) -> Any:
    """Return the processor class of an architecture without its video processor, which needs torchvision. The library
    reads the parts of a processor, and the arguments that it takes, from the names of the arguments of `__init__`."""
    takes_length = "image_seq_length" in inspect.signature(processor_class.__init__).parameters

    class WithoutVideo(processor_class):  # type: ignore[misc]
        def __init__(
            self,
            image_processor: Any = None,
            tokenizer: Any = None,
            image_seq_length: int | None = None,
            chat_template: str | None = None,
        ) -> None:
            own = {"image_seq_length": image_seq_length} if takes_length and image_seq_length is not None else {}
            super().__init__(image_processor, tokenizer, None, chat_template=chat_template, **own)

    return WithoutVideo
