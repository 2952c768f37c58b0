"""Turns OpenAI-shaped answers, streamed or whole, into chunks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from core.errors import UpstreamBroken, UpstreamError
from core.providers.openai_calls import FUNCTION, ToolCalls
from core.providers.token_counts import told, told_output
from core.sse import Event
from schemas.stream import ChatChunk, FinishReason, ReasoningDelta, TextDelta
from schemas.usage import Usage

Wire = Mapping[str, Any]


REASONING = ("reasoning_content", "reasoning")
TOLD = frozenset({*REASONING, "content", "refusal", "tool_calls", "function_call"})
"""The fields of a delta that become chunks."""
NAMES = frozenset({"role", "name"})
"""The fields of a delta that say who speaks, and nothing of what."""


Piece = tuple[ChatChunk, Wire]
"""A chunk, and the part of a delta that says it."""


class Reading(NamedTuple):
    """What one frame says: the frame as OpenAI would have written it, None when nothing of it may be forwarded.

    `delta` is what it adds, the provider's own object unless something had to be mended; `pieces` are its known parts.
    """

    frame: Wire | None
    delta: Wire = MappingProxyType({})
    pieces: Sequence[Piece] = ()

    @property
    def chunks(self) -> list[ChatChunk]:
        """What it says, as chunks that carry no event."""
        return [chunk for chunk, _ in self.pieces]


class Answer:
    """What has been read of one answer so far; `untold` means that it says something no chunk can carry.

    With `forwards` what no chunk can carry goes its own way, so that no chunk is made to replace it.
    """

    __slots__ = (
        "_forwards",
        "calls",
        "complete",
        "legacy",
        "model",
        "produced",
        "raw_reason",
        "raw_usage",
        "reason",
        "untold",
    )

    def __init__(self, *, forwards: bool = False) -> None:
        self._forwards = forwards
        self.calls = ToolCalls()
        self.legacy = False
        self.produced = False
        self.complete = False
        self.untold = False
        self.model: str | None = None
        self.raw_reason: str | None = None
        self.raw_usage: Wire | None = None
        self.reason: FinishReason | None = None

    def read(self, frame: Wire, *, whole: bool = False) -> Reading:
        """What one frame says, reasoning ahead of text ahead of tool calls; notes usage, finish reason, end, model.

        Only choice 0 is read, as one was asked for. `whole` says that the frame is all of the answer.
        """
        usage = frame.get("usage")
        if usage and isinstance(usage, dict):
            self.raw_usage = usage
        model = frame.get("model")
        if isinstance(model, str):
            self.model = model
        choices = frame.get("choices")
        if not choices:
            return Reading(frame)
        choice = _first(choices)
        if choice is None:
            return Reading({**frame, "choices": []} if usage else None)
        choice = self._noted(choice, whole=whole)
        if len(choices) != 1 or choice is not choices[0]:
            frame = {**frame, "choices": [choice]}
        said = choice.get("message" if whole else "delta")
        return self._reading(frame, said, whole=whole) if isinstance(said, dict) else Reading(frame)

    def _noted(self, choice: dict[str, Any], *, whole: bool) -> dict[str, Any]:
        """The choice with what it says where it belongs, in a stream the delta; notes its finish reason."""
        place, elsewhere = ("message", "delta") if whole else ("delta", "message")
        if choice.get("message") is not None:
            self.complete = self.complete or whole or choice.get("delta") is None
        if choice.get(place) is None and choice.get(elsewhere) is not None:
            # A stream that ends with all of it once more has said it.
            choice = {**choice, place: {} if self.produced else choice[elsewhere]}
            del choice[elsewhere]
        reason = choice.get("finish_reason")
        if reason is not None and not isinstance(reason, str):
            return {**choice, "finish_reason": None}
        self.raw_reason = reason or self.raw_reason
        return choice

    def _reading(self, frame: Wire, delta: Wire, *, whole: bool) -> Reading:
        pieces = self._spoken(delta)
        others: list[Any] = []
        called = "tool_calls" if delta.get("tool_calls") else "function_call"
        if calls := delta.get(called):
            more, others = self._called(calls, whole=whole) if called == "tool_calls" else self._function(calls)
            pieces += more
            delta = _mended(delta, called, others, pieces)
        elif pieces and not isinstance(delta.get("content"), str | None):
            delta = _mended(delta, "content", [], pieces)
        if pieces:
            self.produced = True
        elif not self.produced and not self.untold:
            self.untold = any(value for name, value in delta.items() if name not in TOLD | NAMES)
        return Reading(frame, delta, pieces)

    def _spoken(self, delta: Wire) -> list[Piece]:
        pieces: list[Piece] = []
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if reasoning and isinstance(reasoning, str):
            pieces.append((ReasoningDelta(reasoning), {name: delta[name] for name in REASONING if delta.get(name)}))
        content = delta.get("content")
        if content:
            text = content if isinstance(content, str) else _joined(content)
            if text:
                pieces.append((TextDelta(text), {"content": text}))
        refusal = delta.get("refusal")
        if refusal and isinstance(refusal, str):
            pieces.append((TextDelta(refusal), {"refusal": refusal}))
        if not self._forwards and (audio := delta.get("audio")):
            transcript = _mapping(audio).get("transcript")
            if transcript and isinstance(transcript, str):
                pieces.append((TextDelta(transcript), {"audio": audio}))
        return pieces

    def _function(self, function: Any) -> tuple[list[Piece], list[Any]]:
        """The piece of a call in the form that came before tools."""
        if not isinstance(function, dict):
            return [], []
        self.legacy = True
        piece, call = self.calls.read({"index": FUNCTION, "function": function})
        return ([] if piece is None else [(piece, {"function_call": call["function"]})]), []

    def _called(self, calls: Any, *, whole: bool) -> tuple[list[Piece], list[Any]]:
        """The pieces of calls, and those that ran at the provider, if there are no others that they can go with."""
        pieces: list[Piece] = []
        others: list[Any] = []
        for said in calls if isinstance(calls, list) else ():
            piece, call = self.calls.read(said, whole=whole)
            if piece is not None:
                pieces.append((piece, {"tool_calls": [*others, call]}))
                others = []
            elif call is not None:
                others.append(call)
        if others and pieces:
            last, said = pieces.pop()
            pieces.append((last, {"tool_calls": [*said["tool_calls"], *others]}))
            others = []
        return pieces, others

    def last_reason(self) -> FinishReason:
        """Why the answer ended, `tool_calls` exactly when a model that came to its own end called a tool.

        Raises UpstreamBroken when the provider never said that it ended, or never named the tool that is called.
        """
        if self.reason is None and not self.complete:
            raise UpstreamBroken("the provider's answer broke off before its end")
        if self.reason is None and not self.produced and not self.untold:
            raise UpstreamBroken("the provider's answer was empty")
        if self.reason in ("length", "content_filter"):
            return self.reason
        if self.calls.nameless:
            raise UpstreamBroken("the provider sent a tool call without a name")
        return "tool_calls" if self.calls else "stop"


def says_more(delta: Wire) -> bool:
    """True when a delta or message says more than who speaks, nulls and empty values."""
    return any(value for name, value in delta.items() if name not in NAMES)


def until_broken(events: Iterable[Event], answer: Answer) -> Iterator[Event]:
    """The events, where a connection that fails after the finish reason counts as the end of the answer."""
    try:
        yield from events
    except UpstreamError:
        if answer.reason is None:
            raise


def read_usage(raw: Mapping[str, Any]) -> Usage | None:
    """OpenAI's token counts, in which the prompt includes cached and written tokens; None when nothing is told."""
    prompt, output = told(raw.get("prompt_tokens")), told_output(raw.get("completion_tokens"))
    if prompt is None and output is None:
        return None
    details = _mapping(raw.get("prompt_tokens_details"))
    read, written = told(details.get("cached_tokens")), told(details.get("cache_write_tokens"))
    return Usage(
        uncached=None if prompt is None else prompt - (read or 0) - (written or 0),
        read=read,
        write_short=written,
        output=output,
        reasoning=told_output(_mapping(raw.get("completion_tokens_details")).get("reasoning_tokens")),
    )


CACHED = ("prompt_tokens_details", "cached_tokens")
"""Where the usage has what was read from a cache."""


def count_in(usage: Mapping[str, Any], details: str, name: str) -> int | None:
    """A count among the details of a usage; None when it is not told."""
    return told(_mapping(usage.get(details)).get(name))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _joined(parts: Any) -> str:
    if not isinstance(parts, list):
        return ""
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _first(choices: Any) -> dict[str, Any] | None:
    """Choice 0, whose number may be missing."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index") in (None, 0):
            return choice
    return None


def _mended(delta: Wire, field: str, others: list[Any], pieces: Sequence[Piece]) -> Wire:
    """The delta whose `field` says what its pieces say and the `others`: itself if it does already."""
    mended = dict(delta)
    del mended[field]
    if others:
        mended[field] = others
    for _, said in pieces:
        for name, value in said.items():
            mended[name] = [*mended.get(name, ()), *value] if name == "tool_calls" else value
    return delta if mended == delta else mended
