"""The whole answer, as the fold of its chunks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.chat import ThinkingBlock, ToolCall
from schemas.stream import FinishReason
from schemas.usage import Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said: visible text, shown reasoning (empty when hidden), tool calls, and why it stopped.

    `thinking` is the reasoning as blocks with their signatures. `native` is the provider's own body, when it speaks the
    caller's dialect and nothing here has changed what it says.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    reason: FinishReason
    usage: Usage | None
    thinking: tuple[ThinkingBlock, ...] = ()
    stop_sequence: str | None = None
    native: Mapping[str, Any] | None = None
