"""What an answer is made of while it is on its way: the chunks every provider yields and every stage passes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.usage import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class RawEvent:
    """An event as the provider sent it: its name (`body` for a whole answer), its data, and the data parsed.

    `data` is empty for a part of an event that said several things at once: then `value` is that part.
    """

    __slots__ = ("data", "name", "value")

    def __init__(self, data: bytes, name: str | None, value: Mapping[str, Any]) -> None:
        self.data = data
        self.name = name
        self.value = value


@dataclass(slots=True)
class Started:
    """The answer has begun: at most once, and first. `usage` is what is known of the prompt by now, if anything is.

    `diagnostics` are what the provider itself says of its prompt cache, under its own names.
    """

    usage: Usage | None = None
    raw: RawEvent | None = None
    diagnostics: Mapping[str, Any] | None = None


@dataclass(slots=True)
class TextDelta:
    """A piece of the visible answer, never empty."""

    text: str
    raw: RawEvent | None = None


@dataclass(slots=True)
class ReasoningDelta:
    """A piece of the model's thinking, never empty; `hidden` pieces are counted but not shown."""

    text: str
    hidden: bool = False
    raw: RawEvent | None = None


@dataclass(slots=True)
class Signature:
    """Ends the thinking before it (which may be none) as one block, and is what its issuer wants back with it.

    `redacted`: `value` is a whole block of thinking that only its issuer can read.
    """

    value: str
    redacted: bool = False
    raw: RawEvent | None = None


@dataclass(slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`: `id` and `name` come with its first piece only, arguments in pieces.

    `signature`, on a first piece, is what the provider wants back with this call.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    signature: str | None = None
    raw: RawEvent | None = None


@dataclass(slots=True)
class Passed:
    """An event that means nothing here and is for a client of the provider's own dialect only.

    `begins`: the model's answer begins with it, though its first content is still to come.
    """

    raw: RawEvent
    begins: bool = False


@dataclass(slots=True)
class KeepAlive:
    """Nothing has come for a while; carries no content and may stand anywhere before `Finished`."""


@dataclass(slots=True)
class Finished:
    """The end of the answer: comes exactly once, and last. `usage` is None when the provider gave none.

    `stop_sequence` is the stop word that ended it, when that is known. `raw` are the events that told the end and the
    usage; a stage that changes anything here leaves them out. `may_be_empty`: an answer without content is one too, as
    the model ended its turn in so many words, or said what no chunk can carry. `model` is what the provider calls the
    one that answered, where it tells; answers that say the same are equal whoever gave them.
    """

    reason: FinishReason
    usage: Usage | None = None
    stop_sequence: str | None = None
    raw: tuple[RawEvent, ...] = ()
    may_be_empty: bool = False
    model: str | None = field(default=None, compare=False)


ChatChunk = Started | TextDelta | ReasoningDelta | Signature | ToolCallDelta | Passed | KeepAlive | Finished
"""`raw`, on any of them, is the event it came from, when the provider speaks the caller's dialect and the event says
nothing else: what passes the stages with it is forwarded as it came. A stage that changes a chunk makes a new one."""
