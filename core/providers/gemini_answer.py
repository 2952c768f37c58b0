"""Reads Gemini's answers, streamed or whole (https://ai.google.dev/api/generate-content#generatecontentresponse)."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.errors import ContentRefused, UpstreamBroken, UpstreamServerError
from core.providers.foreign_json import items, mapping, text
from core.providers.gemini_errors import read_trouble, trouble_error
from core.providers.openai_faults import Said, fault
from core.providers.token_counts import told, told_output
from core.providers.tool_calls import argument_text, new_call_id
from core.sse import Event
from schemas.codec import loads
from schemas.stream import ChatChunk, Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta
from schemas.usage import Usage

FINISH_REASONS: Mapping[str, FinishReason | None] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "MALFORMED_FUNCTION_CALL": None,
    "UNEXPECTED_TOOL_CALL": None,
    "TOO_MANY_TOOL_CALLS": None,
    "MISSING_THOUGHT_SIGNATURE": None,
    "MALFORMED_RESPONSE": None,
}
"""What ends an answer. None is a failure, or `stop` when something was said before; any other word counts as `stop`."""


class Answer:
    """What has been read of one answer so far."""

    __slots__ = ("_calls", "_now", "_produced", "_said", "_usage", "_word")

    def __init__(self, now: float) -> None:
        self._now = now
        self._calls = 0
        self._produced = False
        self._usage: dict[str, Any] = {}
        self._word: str | None = None
        self._said = ""

    def is_ended(self) -> bool:
        """True when the answer may stop here: Gemini says why it ends, and then closes the connection."""
        return self._word is not None

    def read(self, event: Event) -> Iterator[ChatChunk]:
        """The chunks in one event. Raises the error it tells of, and UpstreamBroken when it cannot be read."""
        try:
            body = loads(event.data)
        except ValueError as cause:
            raise UpstreamBroken("the provider sent something that is no JSON") from cause
        # Without `alt=sse` all responses come as one array.
        for frame in body if isinstance(body, list) else [body]:
            trouble = read_trouble(frame)
            if trouble is not None:
                raise trouble_error(trouble, None, None, self._now)
            yield from self._frame(mapping(frame))

    def _frame(self, frame: Mapping[str, Any]) -> Iterator[ChatChunk]:
        # Counts are cumulative, but not every event has all of them.
        self._usage.update(mapping(frame.get("usageMetadata")))
        candidates = items(frame.get("candidates"))
        candidate = mapping(candidates[0]) if candidates else {}
        for part in items(mapping(candidate.get("content")).get("parts")):
            for chunk in self._part(mapping(part)):
                self._produced = True
                yield chunk
        if reason := text(candidate.get("finishReason")):
            self._word, self._said = reason, text(candidate.get("finishMessage"))
        feedback = mapping(frame.get("promptFeedback"))
        if blocked := text(feedback.get("blockReason")):
            self._block(blocked, text(feedback.get("blockReasonMessage")))

    def _part(self, part: Mapping[str, Any]) -> Iterator[ChatChunk]:
        if said := text(part.get("text")):
            yield ReasoningDelta(said) if part.get("thought") is True else TextDelta(said)
        if isinstance(part.get("functionCall"), dict):
            yield self._call(part["functionCall"], text(part.get("thoughtSignature")) or None)
        if code := text(mapping(part.get("executableCode")).get("code")):
            language = text(part["executableCode"].get("language")).lower()
            yield TextDelta(f"\n```{language if language.isalnum() else ''}\n{code}\n```\n")
        if output := text(mapping(part.get("codeExecutionResult")).get("output")):
            yield TextDelta(f"\n```\n{output}\n```\n")

    def _call(self, call: Mapping[str, Any], signature: str | None) -> ToolCallDelta:
        name = text(call.get("name"))
        if not name:
            raise UpstreamBroken("the provider sent a tool call without a name")
        index, self._calls = self._calls, self._calls + 1
        arguments = argument_text(call.get("args"))
        return ToolCallDelta(index, text(call.get("id")) or new_call_id(), name, arguments, signature)

    def _block(self, reason: str, message: str) -> None:
        if not self._produced:
            said = Said(message or f"the provider refuses the prompt ({reason})", reason)
            raise fault(ContentRefused, said)
        self._word = "SAFETY"

    def finish(self) -> Finished:
        """The end of the answer. Raises UpstreamBroken when Gemini never said that it ended, or what it failed of."""
        if self._word is None:
            raise UpstreamBroken("the provider's answer broke off before its end")
        reason = FINISH_REASONS.get(self._word, "stop")
        if reason is None and not self._produced:
            message = self._said or f"the provider ended its answer with {self._word}"
            raise fault(UpstreamServerError, Said(message, self._word))
        if reason in (None, "stop"):
            reason = "tool_calls" if self._calls else "stop"
        return Finished(reason, read_usage(self._usage))


def read_usage(counts: Mapping[str, Any]) -> Usage | None:
    """Gemini's counts in our form; None when it counts nothing.

    Its prompt includes what was cached but not what its own tools read, its candidates exclude the thoughts.
    """
    prompt, tools = told(counts.get("promptTokenCount")), told(counts.get("toolUsePromptTokenCount"))
    # What is zero is left out of Google's JSON: of a prompt that it has counted nothing was cached then.
    cached = told(counts.get("cachedContentTokenCount", 0 if prompt is not None else None))
    said, thought = (told_output(counts.get(name)) for name in ("candidatesTokenCount", "thoughtsTokenCount"))
    if prompt is None and said is None and thought is None:
        return None
    return Usage(
        uncached=None if prompt is None else prompt - (cached or 0) + (tools or 0),
        read=cached,
        output=None if said is None and thought is None else (said or 0) + (thought or 0),
        reasoning=thought,
    )
