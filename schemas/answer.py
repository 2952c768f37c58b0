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
    caller's dialect and the end of the answer is its own. `retold`: what is said here may differ from what `native`
    says, be it in how thinking is shown, in what was searched, or in what had to be mended.
    """

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    reason: FinishReason
    usage: Usage | None
    thinking: tuple[ThinkingBlock, ...] = ()
    stop_sequence: str | None = None
    native: Mapping[str, Any] | None = None
    retold: bool = False
