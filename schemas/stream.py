"""What an answer is made of while it is on its way: the chunks every provider yields and every stage passes on."""

from dataclasses import dataclass
from typing import Literal

from schemas.usage import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(slots=True)
class TextDelta:
    """A piece of the visible answer, never empty."""

    text: str


@dataclass(slots=True)
class ReasoningDelta:
    """A piece of the model's thinking, never empty; `hidden` pieces are counted but not shown."""

    text: str
    hidden: bool = False


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`: `id` and `name` come with its first piece only, arguments in pieces."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(slots=True)
class KeepAlive:
    """Nothing has come for a while; carries no content and may stand anywhere before `Finished`."""


@dataclass(slots=True)
class Finished:
    """The end of the answer: comes exactly once, and last. `usage` is None when the provider gave none."""

    reason: FinishReason
    usage: Usage | None = None


ChatChunk = TextDelta | ReasoningDelta | ToolCallDelta | KeepAlive | Finished
