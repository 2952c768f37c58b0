"""A streamed answer as OpenAI's `chat.completion.chunk` events."""

from collections.abc import Iterable, Iterator
from typing import Any

from api.dialects.base import Reply
from api.dialects.openai_chat_answer import finish_reason, is_legacy, usage_object
from core import sse
from schemas.codec import dumps
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, TextDelta, ToolCallDelta

DONE = b"data: [DONE]\n\n"


class Frames:
    """Writes each event between two prepared halves, as only the delta differs from one to the next."""

    def __init__(self, reply: Reply) -> None:
        self._include_usage = reply.request.include_usage
        self._legacy = is_legacy(reply)
        self._open = (
            b'data: {"id":' + dumps(reply.id) + b',"object":"chat.completion.chunk","created":'
            + str(reply.created).encode() + b',"model":' + dumps(reply.request.model)
        )  # fmt: skip
        self._head = self._open + b',"choices":[{"index":0,"delta":'
        self._usage = b',"usage":null' if self._include_usage else b""
        self._tail = b',"logprobs":null,"finish_reason":null}]' + self._usage + b"}\n\n"

    def of(self, chunks: Iterable[ChatChunk]) -> Iterator[bytes]:
        """The events for `chunks`, the last of them `[DONE]`; the role comes with the first content."""
        head, tail = self._head, self._tail
        lead = head + b'{"role":"assistant","content":"","refusal":null}' + tail
        for chunk in chunks:
            if isinstance(chunk, TextDelta):
                yield lead + head + b'{"content":' + dumps(chunk.text) + b"}" + tail
            elif isinstance(chunk, ReasoningDelta):
                if chunk.hidden:
                    continue
                yield lead + head + b'{"reasoning_content":' + dumps(chunk.text) + b"}" + tail
            elif isinstance(chunk, ToolCallDelta):
                if self._legacy and chunk.index > 0:
                    # There was room for one call then.
                    continue
                yield lead + head + dumps(self._call(chunk)) + tail
            elif isinstance(chunk, KeepAlive):
                yield sse.KEEP_ALIVE
                continue
            elif isinstance(chunk, Finished):
                yield lead + self._end(chunk)
                return
            else:
                continue
            lead = b""

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
        reason = dumps(finish_reason(end.reason, self._legacy))
        frame = self._head + b'{},"logprobs":null,"finish_reason":' + reason + b"}]" + self._usage + b"}\n\n"
        if self._include_usage and end.usage is not None:
            frame += self._open + b',"choices":[],"usage":' + dumps(usage_object(end.usage)) + b"}\n\n"
        return frame + DONE
