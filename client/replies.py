"""What is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Usage:
    """Tokens; None where they are not told."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None

    @classmethod
    def of(cls, usage: Mapping[str, Any] | None) -> "Usage":
        """From OpenAI's form."""
        usage = usage or {}
        read, thought = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        return cls(
            usage.get("prompt_tokens"),
            read.get("cached_tokens"),
            usage.get("completion_tokens"),
            thought.get("reasoning_tokens"),
        )


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class ChatReply:
    """A whole answer. `model` is what was asked for; `provider` and `upstream_model` say who answered.

    `cost_usd` is None when it is not known, as with streams, whose headers go out before the cost is known. `raw` is
    the body of an answer that was not streamed.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage
    model: str
    gateway: str
    request_id: str | None = None
    provider: str | None = None
    upstream_model: str | None = None
    cost_usd: float | None = None
    attempts: int = 1
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class EmbeddingReply:
    """One vector for each input, in their order."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    usage: Usage
    model: str
    request_id: str | None = None
    cost_usd: float | None = None


@dataclass(frozen=True)
class TextDelta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class ReasoningDelta:
    """A piece of the thinking."""

    text: str


@dataclass(frozen=True)
class ToolCallDelta:
    """A piece of the tool call number `index`; `id` and `name` come with its first piece."""

    index: int
    arguments: str
    id: str | None = None
    name: str | None = None


Delta = TextDelta | ReasoningDelta | ToolCallDelta
