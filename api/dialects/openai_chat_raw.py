"""Forwards the frames of an OpenAI-form provider, edited only where OpenAI would not have written them so."""

from collections.abc import Mapping
from typing import Any

from api.dialects.base import Reply
from core import sse
from schemas.chat import ThinkingMode
from schemas.codec import dumps
from schemas.stream import RawEvent

OBJECT = "chat.completion.chunk"
THINKING_FIELDS = frozenset({"reasoning", "reasoning_content", "reasoning_details", "reasoning_text", "thinking"})


class Forwarded:
    """Sees to it that all frames of one answer have one id and time, the role once, and the name that was asked for.

    `id` and `created` are the provider's own once its first frame has been forwarded, if it has any.
    """

    __slots__ = ("_asked", "_begun", "_include_usage", "_renamed", "_thinking", "created", "id", "role_sent")

    def __init__(self, reply: Reply) -> None:
        self.id = reply.id
        self.created = reply.created
        self.role_sent = False
        self._begun = False
        self._asked = reply.request.model
        self._include_usage = reply.request.include_usage
        self._thinking = reply.request.thinking_mode
        self._renamed: tuple[tuple[bytes, bytes], ...] = ()

    def frame(self, raw: RawEvent) -> bytes:
        """The event to send for `raw`."""
        value = raw.value
        if not self._begun:
            self._adopt(value)
        edits = self._edits(value)
        if not edits and raw.data:
            renamed = self._rename(raw.data, value.get("model"))
            if renamed is not None:
                # Data in several lines is one event all the same.
                return sse.encode(renamed.replace(b"\n", b"\ndata: "))
        whole = {**value, "model": self._asked, **edits}
        return sse.encode(dumps({name: field for name, field in whole.items() if field is not _GONE}))

    def begin(self) -> "Forwarded":
        """From now on the id and the time stay as they are."""
        self._begun = True
        return self

    def _adopt(self, value: Mapping[str, Any]) -> None:
        self._begun = True
        ident, created = value.get("id"), value.get("created")
        if isinstance(ident, str) and ident:
            self.id = ident
        if isinstance(created, int) and created > 0:
            self.created = created

    def _edits(self, value: Mapping[str, Any]) -> dict[str, Any]:
        edits: dict[str, Any] = {}
        if value.get("id") != self.id:
            edits["id"] = self.id
        if value.get("object") != OBJECT:
            edits["object"] = OBJECT
        if value.get("created") != self.created:
            edits["created"] = self.created
        if value.get("usage") and not self._include_usage:
            edits["usage"] = _GONE
        choices = value.get("choices")
        if choices:
            choice = self._choice(choices[0])
            if choice is not choices[0] or len(choices) > 1:
                edits["choices"] = [choice]
        elif choices is None:
            edits["choices"] = []
        return edits

    def _choice(self, choice: Mapping[str, Any]) -> Mapping[str, Any]:
        edits: dict[str, Any] = {}
        given = choice.get("delta")
        delta = self._delta(given if isinstance(given, Mapping) else {})
        if delta is not given:
            edits["delta"] = delta
        if choice.get("index") != 0:
            edits["index"] = 0
        if "finish_reason" not in choice or choice["finish_reason"] == "":
            edits["finish_reason"] = None
        return {**choice, **edits} if edits else choice

    def _delta(self, delta: Mapping[str, Any]) -> Mapping[str, Any]:
        """The role in the first one only, and thinking under the name that was promised or not at all."""
        wanted = {} if self.role_sent else {"role": delta.get("role") or "assistant"}
        if self.role_sent == ("role" in delta) or any(name in delta for name in THINKING_FIELDS):
            rest = {name: value for name, value in delta.items() if name != "role"}
            delta = {**wanted, **shown_thinking(rest, self._thinking)}
        self.role_sent = True
        return delta

    def _rename(self, data: bytes, model: Any) -> bytes | None:
        """`data` under the name that was asked for, None when the name cannot be found for certain."""
        if model == self._asked:
            return data
        if not self._renamed:
            old, new = dumps(model), dumps(self._asked)
            self._renamed = tuple((b'"model":' + gap + old, b'"model":' + gap + new) for gap in (b"", b" "))
        for old, new in self._renamed:
            if data.count(old) == 1:
                return data.replace(old, new)
        return None


def shown_thinking(said: Mapping[str, Any], mode: ThinkingMode) -> dict[str, Any]:
    """A provider's delta or message with its thinking under `reasoning_content`, or without it."""
    if mode != "field":
        return {name: value for name, value in said.items() if name not in THINKING_FIELDS}
    text = said.get("reasoning_content") or said.get("reasoning")
    return {**said, "reasoning_content": text} if isinstance(text, str) and text else dict(said)


_GONE = object()
