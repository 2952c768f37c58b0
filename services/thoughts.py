"""Thoughts: remembers whose a signature of thinking is, and what a provider wants back that a client cannot carry."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from core.store.base import Room
from schemas.chat import UNSIGNED, ChatRequest, Message, ThinkingBlock, ToolCall
from schemas.codec import dumps, loads
from schemas.stream import ChatChunk, Finished, ReasoningDelta, Signature, ToolCallDelta
from services.recollection import Recollection

KEPT_SECONDS = 7 * 86_400.0
BELIEVED_SECONDS = 60.0
"""How long a worker goes by what it has found, or that it has found nothing."""
MAX_REMEMBERED_TEXT = 200_000
ROOM = Room("thoughts", 64 * 1024 * 1024)
"""A week of a busy gateway's thoughts would fill any store. What had to go costs one more try, as what has ended."""


class ThoughtMemory:
    """A turn is known by the session and its first tool call, a signature by its hash."""

    def __init__(self, recollection: Recollection) -> None:
        self._recollection = recollection

    def names(self, request: ChatRequest) -> dict[str, float]:
        """What has to be found for `recall`: nothing for a conversation without thinking and tool calls."""
        return dict.fromkeys(_names(request), BELIEVED_SECONDS)

    def recall(self, request: ChatRequest, found: Mapping[str, str]) -> ChatRequest:
        """The request with what was found of its history: issuers, thinking, signatures of calls, refusals."""
        if not any(message.thinking or message.tool_calls for message in request.messages):
            return request
        messages = tuple(_recalled(message, request.session or "", found) for message in request.messages)
        omit = found.get(_session_name(request.session or ""), "")
        return replace(request, messages=messages, omit=request.omit | set(omit.split()))

    def remember(self, session: str, issuer: str, thinking: Sequence[ThinkingBlock], calls: Sequence[ToolCall]) -> None:
        """Keep whose these thoughts are, and the thoughts themselves when they led to tool calls."""
        texts = {_signature_name(mark): issuer for block in thinking if (mark := block.signature or block.data)}
        signed = {call.id: call.signature for call in calls if call.signature}
        if calls and (thinking or signed):
            texts[_turn_name(session, calls[0].id)] = _written(issuer, thinking, signed)
        self._recollection.keep(texts, KEPT_SECONDS, room=ROOM)

    def refuse(self, session: str, omit: frozenset[str]) -> None:
        """From now on this session is sent without `omit`."""
        self._recollection.keep({_session_name(session): " ".join(sorted(omit))}, KEPT_SECONDS, room=ROOM)


@dataclass(slots=True)
class Listener:
    """Hears one answer, and tells the memory when it is over."""

    memory: ThoughtMemory
    session: str
    _text: list[str] = field(default_factory=list)
    _thinking: list[ThinkingBlock] = field(default_factory=list)
    _calls: list[ToolCall] = field(default_factory=list)

    def hear(self, chunk: ChatChunk, issuer: str | None) -> None:
        """Note what `chunk` says of thinking; at the end, remember it as the issuer's."""
        if isinstance(chunk, ReasoningDelta):
            self._text.append(chunk.text)
        elif isinstance(chunk, Signature):
            self._sign(chunk)
        elif isinstance(chunk, ToolCallDelta) and chunk.id is not None:
            self._calls.append(ToolCall(chunk.id, chunk.name or "", "", chunk.signature))
        elif isinstance(chunk, Finished) and issuer is not None:
            self._flush()
            self.memory.remember(self.session, issuer, self._thinking, self._calls)

    def _sign(self, chunk: Signature) -> None:
        if chunk.redacted:
            self._flush()
            self._thinking.append(ThinkingBlock(data=chunk.value))
        else:
            text, self._text = "".join(self._text), []
            self._thinking.append(ThinkingBlock(text, chunk.value))

    def _flush(self) -> None:
        if self._text:
            self._thinking.append(ThinkingBlock("".join(self._text)))
            self._text = []


def _names(request: ChatRequest) -> Iterator[str]:
    session = request.session or ""
    assistants = [message for message in request.messages if message.role == "assistant"]
    for message in assistants:
        yield from (_signature_name(mark) for block in message.thinking if (mark := block.signature or block.data))
        if message.tool_calls:
            yield _turn_name(session, message.tool_calls[0].id)
    if any(message.thinking or message.tool_calls for message in assistants):
        yield _session_name(session)


def _recalled(message: Message, session: str, found: Mapping[str, str]) -> Message:
    if message.role != "assistant" or not (message.thinking or message.tool_calls):
        return message
    issued = tuple(_issued(block, found) for block in message.thinking)
    first = message.tool_calls[0].id if message.tool_calls else ""
    kept = _read(found.get(_turn_name(session, first), ""))
    if kept is None:
        return replace(message, thinking=issued)
    signatures = kept["calls"]
    calls = tuple(replace(call, signature=call.signature or signatures.get(call.id)) for call in message.tool_calls)
    remembered = tuple(ThinkingBlock(text, mark, data, kept["issuer"]) for text, mark, data in kept["thinking"])
    text = "\n".join(block.text for block in remembered if block.text)
    return replace(
        message,
        tool_calls=calls,
        thinking=issued if any(block.signature or block.data for block in issued) else remembered,
        reasoning=message.reasoning or text or None,
    )


def _issued(block: ThinkingBlock, found: Mapping[str, str]) -> ThinkingBlock:
    mark = block.signature or block.data
    return replace(block, issuer=found.get(_signature_name(mark))) if mark else replace(block, issuer=UNSIGNED)


def _written(issuer: str, thinking: Sequence[ThinkingBlock], signed: Mapping[str, str]) -> str:
    # What is signed must come back whole.
    blocks = [
        [block.text if block.signature else block.text[:MAX_REMEMBERED_TEXT], block.signature, block.data]
        for block in thinking
    ]
    return dumps({"issuer": issuer, "thinking": blocks, "calls": signed}).decode()


def _read(text: str) -> dict[str, Any] | None:
    return loads(text) if text else None


def _signature_name(mark: str) -> str:
    return f"signature:{_hash(mark)}"


def _turn_name(session: str, call: str) -> str:
    return f"turn:{_hash(session + chr(0) + call)}"


def _session_name(session: str) -> str:
    return f"session:{session}"


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]
