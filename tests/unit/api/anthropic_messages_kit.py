"""Requests in Anthropic's dialect, and a reader of its streams that holds every event to the grammar."""

import json
from collections.abc import Iterable
from typing import Any

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.anthropic_messages_answer import arguments_object
from api.dialects.base import Inbound, Reply
from core.sse import decode
from schemas.chat import ChatRequest
from schemas.codec import loads
from schemas.stream import ChatChunk, RawEvent

HI: list[Any] = [{"role": "user", "content": "Hi"}]
THINK: dict[str, Any] = {"thinking": {"type": "adaptive"}}
OMIT: dict[str, Any] = {"thinking": {"type": "adaptive", "display": "omitted"}}
FIELDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("thinking", "signature"),
    "input_json_delta": ("tool_use", "partial_json"),
}
"""What kind of block a delta may stand in, and the field that brings the piece."""


def parse(**fields: Any) -> ChatRequest:
    """The canonical request for a body of the needed fields and these."""
    body = {"model": 'glm-"4.6"', "max_tokens": 100, "messages": HI, **fields}
    return AnthropicMessages().parse(Inbound(body, b"as it came", {}, "default-model", "tags"))


def reply_to(**fields: Any) -> Reply:
    """A reply with a fixed id and time to such a request."""
    return Reply("msg_1", 1_795_200_000, parse(**fields))


def frames(chunks: Iterable[ChatChunk], **fields: Any) -> list[bytes]:
    """The frames of an answer to such a request."""
    return list(AnthropicMessages().frames(chunks, reply_to(stream=True, **fields)))


def events(sent: Iterable[bytes]) -> list[dict[str, Any]]:
    """The parsed events, each named as its type; comments are left out."""
    parsed = []
    for event in decode(sent):
        value = loads(event.data)
        assert event.name == value["type"]
        parsed.append(value)
    return parsed


def folded(sent: Iterable[bytes]) -> dict[str, Any]:
    """The message that the events make. Fails when they break the grammar in any way."""
    told = [event for event in events(sent) if event["type"] != "ping"]
    message, state = dict(told[0]["message"]), "between"
    assert told[0]["type"] == "message_start"
    assert (message["content"], message["stop_reason"]) == ([], None)
    for event in told[1:]:
        state = _STEPS[state, event["type"]](message, event)
    assert state == "over"
    return message


def raw(value: dict[str, Any], name: str | None = "") -> RawEvent:
    """The event `value`, spelled with spaces, as no writer of ours would."""
    return RawEvent(json.dumps(value).encode(), value["type"] if name == "" else name, value)


def _block_starts(message: dict[str, Any], event: dict[str, Any]) -> str:
    assert event["index"] == len(message["content"])
    block = dict(event["content_block"])
    fresh = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}
    assert fresh.get(block["type"], {}).items() <= block.items()
    message["content"].append(block)
    return "inside"


def _delta(message: dict[str, Any], event: dict[str, Any]) -> str:
    assert event["index"] == len(message["content"]) - 1
    block, delta = message["content"][-1], event["delta"]
    kind, field = FIELDS[delta["type"]]
    assert block["type"] == kind
    assert not block.get("signature"), "a signature is the last delta of its block"
    block[field] = block.get(field, "") + delta[field]
    return "inside"


def _block_stops(message: dict[str, Any], event: dict[str, Any]) -> str:
    assert event == {"type": "content_block_stop", "index": len(message["content"]) - 1}
    block = message["content"][-1]
    if block["type"] == "thinking":
        assert block["signature"]
    if block["type"] == "tool_use":
        block["input"] = arguments_object(block.pop("partial_json", ""))
    return "between"


def _ends(message: dict[str, Any], event: dict[str, Any]) -> str:
    assert event["delta"]["stop_reason"]
    message.update(event["delta"])
    message["usage"] = {**message["usage"], **event["usage"]}
    return "ended"


_STEPS = {
    ("between", "content_block_start"): _block_starts,
    ("inside", "content_block_delta"): _delta,
    ("inside", "content_block_stop"): _block_stops,
    ("between", "message_delta"): _ends,
    ("ended", "message_delta"): _ends,
    ("ended", "message_stop"): lambda *_: "over",
}
