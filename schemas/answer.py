"""The whole answer, as the fold of its chunks."""

from dataclasses import dataclass

from schemas.chat import ToolCall
from schemas.stream import FinishReason
from schemas.usage import Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said: visible text, shown reasoning (empty when hidden), tool calls, and why it stopped."""

    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    reason: FinishReason
    usage: Usage | None
