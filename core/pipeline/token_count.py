"""Sees to it that every answer ends with its token usage."""

from collections.abc import Iterator
from dataclasses import replace

from core.estimating import estimate_request
from core.pipeline.base import Stage
from core.pipeline.think_look import CLOSING, OPENING
from schemas.chat import ChatRequest
from schemas.stream import ChatChunk, Finished, KeepAlive, ReasoningDelta, Started, TextDelta, ToolCallDelta
from schemas.usage import Usage


class TokenCount(Stage):
    """Leaves the provider's usage as it is, and estimates what is missing of it (`source` then says so).

    The output is the answer, all thinking whether shown or hidden, and the tool calls. The think tags that were
    written for the client are not counted: they are known by identity and only switch between thinking and answer.
    For a dialect that tells of the prompt when an answer begins, such an answer begins with Started and what is known.
    """

    def process(self, request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        answer: list[str] = []
        thinking: list[str] = []
        calls: list[str] = []
        visible = answer
        for chunk in _begun(request, chunks):
            if isinstance(chunk, TextDelta):
                if chunk.text is OPENING:
                    visible = thinking
                elif chunk.text is CLOSING:
                    visible = answer
                else:
                    visible.append(chunk.text)
            elif isinstance(chunk, ReasoningDelta):
                thinking.append(chunk.text)
            elif isinstance(chunk, ToolCallDelta):
                calls.append(chunk.name or "")
                calls.append(chunk.arguments)
            elif isinstance(chunk, Finished):
                usage = self._complete(chunk.usage, request, ("".join(answer), "".join(calls)), "".join(thinking))
                chunk = replace(chunk, usage=usage)  # noqa: PLW2901 - the end goes out with its usage
            yield chunk

    def _complete(self, usage: Usage | None, request: ChatRequest, shown: tuple[str, ...], thinking: str) -> Usage:
        usage = usage or Usage()
        if usage.uncached is None:
            cached = usage.prompt
            prompt = self._counter.count_request(request)
            usage = replace(usage, uncached=max(0, prompt - cached), source="estimated")
        if usage.output is None:
            reasoning = self._counter.count_text(thinking) if usage.reasoning is None else usage.reasoning
            output = sum(map(self._counter.count_text, shown)) + reasoning
            usage = replace(usage, output=output, reasoning=reasoning, source="estimated")
        return usage


def _begun(request: ChatRequest, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
    if request.thinking_mode != "blocks":
        yield from chunks
        return
    begun = False
    for chunk in chunks:
        if not begun and not isinstance(chunk, KeepAlive):
            begun = True
            known = chunk if isinstance(chunk, Started) else Started()
            if known.usage is None or not known.usage.prompt:
                known = replace(known, usage=Usage(uncached=estimate_request(request), source="estimated"))
            yield known
            if isinstance(chunk, Started):
                continue
        yield chunk
