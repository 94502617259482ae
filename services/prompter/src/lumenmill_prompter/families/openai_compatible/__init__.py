"""The `openai` family: prompts from any OpenAI-compatible endpoint."""

from lumenmill_prompter.families.openai_compatible.family import OpenAIFamily

__all__ = ["OpenAIFamily"]
