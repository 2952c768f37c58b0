"""A streamed answer as OpenAI's `chat.completion.chunk` events."""

from collections.abc import Iterable, Iterator
from typing import Any

from api.dialects.base import Reply
from api.dialects.openai_chat_answer import usage_object
from api.dialects.openai_chat_raw import OBJECT, Forwarded
from api.dialects.openai_chat_words import finish_reason, is_legacy
from core import sse
from schemas.codec import dumps
from schemas.stream import ChatChunk, Finished, KeepAlive, RawEvent, ReasoningDelta, Signature, TextDelta, ToolCallDelta

DONE = b"data: [DONE]\n\n"
WHOLE = "body"
"""The name of an event that is a whole answer, from a provider that does not stream, and so no event of a stream."""


class Frames:
    """Writes each event between two prepared halves, as only the delta differs from one to the next.

    A chunk that still has the provider's own event is forwarded as that instead.
    """

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._include_usage = reply.request.include_usage
        self._legacy = is_legacy(reply)
        self._forwarded = Forwarded(reply)
        self._open = self._head = b""
        self._usage = b',"usage":null' if self._include_usage else b""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._usage + b"}\n\n"

    def of(self, chunks: Iterable[ChatChunk]) -> Iterator[bytes]:
        """The events for `chunks`, the last of them `[DONE]`; the role comes with the first content."""
        for chunk in chunks:
            if isinstance(chunk, KeepAlive):
                yield sse.KEEP_ALIVE
            elif isinstance(chunk, Finished):
                yield self._end(chunk)
                return
            elif isinstance(chunk, Signature) or (isinstance(chunk, ReasoningDelta) and chunk.hidden):
                continue
            elif chunk.raw is not None and chunk.raw.name != WHOLE:
                yield self._forwarded.frame(chunk.raw)
            elif delta := self._delta(chunk):
                yield self._lead() + self._head + delta + self._tail

    def _delta(self, chunk: ChatChunk) -> bytes:
        if isinstance(chunk, TextDelta):
            return b'{"content":' + dumps(chunk.text) + b"}"
        if isinstance(chunk, ReasoningDelta):
            return b'{"reasoning_content":' + dumps(chunk.text) + b"}"
        # There was room for one call when there were functions.
        if isinstance(chunk, ToolCallDelta) and not (self._legacy and chunk.index > 0):
            return dumps(self._call(chunk))
        return b""

    def _lead(self) -> bytes:
        """Prepares the halves for the first event that is written here, and begins the answer if nothing else has."""
        if not self._head:
            forwarded = self._forwarded.begin()
            self._open = (
                b'data: {"id":' + dumps(forwarded.id) + b',"object":"' + OBJECT.encode() + b'","created":'
                + str(forwarded.created).encode() + b',"model":' + dumps(self._reply.request.model)
            )  # fmt: skip
            self._head = self._open + b',"choices":[{"index":0,"delta":'
        if self._forwarded.role_sent:
            return b""
        self._forwarded.role_sent = True
        return self._head + b'{"role":"assistant","content":"","refusal":null}' + self._tail

    def _call(self, chunk: ToolCallDelta) -> dict[str, Any]:
        function = {"arguments": chunk.arguments}
        if chunk.name is not None:
            function = {"name": chunk.name, "arguments": chunk.arguments}
        if self._legacy:
            return {"function_call": function}
        call: dict[str, Any] = {"index": chunk.index}
        if chunk.id is not None:
            call.update(id=chunk.id, type="function")
        return {"tool_calls": [{**call, "function": function}]}

    def _end(self, end: Finished) -> bytes:
        events = [raw for raw in end.raw if raw.name != WHOLE]
        told = [raw for raw in events if raw.value.get("choices") or not raw.value.get("usage")]
        frame = b"".join(map(self._forwarded.frame, told))
        lead = self._lead()
        if not any(_finish_word(raw) for raw in told):
            reason = dumps(finish_reason(end.reason, self._legacy))
            ended = self._head + b'{},"logprobs":null,"finish_reason":' + reason + b"}]" + self._usage + b"}\n\n"
            frame = ended + frame
        return lead + frame + self._last_usage(end) + DONE

    def _last_usage(self, end: Finished) -> bytes:
        """The usage in an event of its own, unless an event that was forwarded has told it."""
        if not self._include_usage or end.usage is None:
            return b""
        counted = [raw for raw in end.raw if raw.value.get("usage") and raw.name != WHOLE]
        if counted and counted[-1].value.get("choices"):
            return b""
        if counted:
            return self._forwarded.frame(counted[-1])
        return self._open + b',"choices":[],"usage":' + dumps(usage_object(end.usage)) + b"}\n\n"


def _finish_word(raw: RawEvent) -> Any:
    choices = raw.value.get("choices")
    return choices[0].get("finish_reason") if choices else None
