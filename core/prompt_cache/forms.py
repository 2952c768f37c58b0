"""Where each wire form keeps its prompt, and which of its parameters a cache depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Form = Literal["openai_chat", "anthropic_messages", "gemini", "ollama", "glm_web"]
"""The form of a body: OpenAI's chat, Anthropic's Messages, Gemini's, Ollama's, and that of chat.z.ai."""

MARKS = ("cache_control", "prompt_cache_breakpoint")
"""How Anthropic and OpenAI mark the end of a prefix that is worth caching."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One form. The prompt is `tools`, then `system` if the form has such a field, then `turns` with their `content`.

    `joins_turns`: turns of one role that follow each other are one. `parameters` are part of a cache's key without
    being part of the prompt; a dot leads into an object, and what stands first is named first when several change.
    """

    turns: str
    content: str
    parameters: tuple[str, ...]
    system: str | None = None
    joins_turns: bool = False


LAYOUTS: Mapping[Form, Layout] = {
    "openai_chat": Layout(
        turns="messages",
        content="content",
        parameters=(
            "model",
            "thinking",
            "enable_thinking",
            "reasoning_effort",
            "reasoning",
            "tool_choice",
            "parallel_tool_calls",
            "service_tier",
            "prompt_cache_key",
            "prompt_cache_options.mode",
            "prompt_cache_options.ttl",
            "prompt_cache_retention",
            "response_format",
            "verbosity",
            "web_search_options",
            "chat_template_kwargs",
            "plugins",
            "provider",
            "user",
            "user_id",
        ),
    ),
    "anthropic_messages": Layout(
        turns="messages",
        content="content",
        system="system",
        joins_turns=True,
        parameters=(
            "model",
            "thinking",
            "output_config.effort",
            "output_config.format",
            "tool_choice",
            "speed",
            "service_tier",
            "context_management",
            "mcp_servers",
            "inference_geo",
        ),
    ),
    "gemini": Layout(
        turns="contents",
        content="parts",
        system="systemInstruction",
        parameters=(
            "model",
            "cachedContent",
            "generationConfig.thinkingConfig",
            "toolConfig",
            "generationConfig.responseMimeType",
            "generationConfig.responseJsonSchema",
        ),
    ),
    "ollama": Layout(turns="messages", content="content", parameters=("model", "think", "format", "options.num_ctx")),
    "glm_web": Layout(turns="messages", content="content", parameters=("model", "features")),
}
