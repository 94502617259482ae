"""The `openai` family: prompts from any OpenAI-compatible endpoint."""

from ._family import OpenAIFamily

__all__ = ["OpenAIFamily"]
