"""Ready-made answers in the form of Anthropic's Messages, as bytes or lists of events."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.upstreams.answers import TEXT, Call, Json, event
from tests.upstreams.steps import JSON, Step, whole

USAGE: Mapping[str, Any] = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 4,
    "output_tokens": 12,
}
SIGNATURE = "sig-of-upstream=="
STOP = event({"type": "message_stop"}, "message_stop")
PING = event({"type": "ping"}, "ping")
_DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def text_block(text: str) -> Json:
    """What the model says."""
    return {"type": "text", "text": text}


def thinking_block(text: str, signature: str = SIGNATURE) -> Json:
    """What it thinks, signed."""
    return {"type": "thinking", "thinking": text, "signature": signature}


def redacted_block(data: str) -> Json:
    """What it thinks and nobody may read."""
    return {"type": "redacted_thinking", "data": data}


def tool_block(call: Call) -> Json:
    """A call, whose arguments are the text of a JSON object."""
    call_id, name, arguments = call
    return {"type": "tool_use", "id": call_id, "name": name, "input": json.loads(arguments)}


def message_stream(
    *blocks: Json,
    stop_reason: str = "end_turn",
    stop_sequence: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    model: str = "claude-opus-4-8-20260401",
    piece: int = 4,
    late_usage: bool = False,
    pings: bool = False,
    stop: bool = True,
) -> list[bytes]:
    """The events of a message of these blocks, in pieces of `piece` characters.

    `late_usage` begins with zeros and tells the prompt at the end, as GLM's host does. Without `stop` there is no
    `message_stop`.
    """
    known = {**usage} if usage is not None else {}
    first = {**known, "output_tokens": 1} if known else {}
    last = {"output_tokens": known["output_tokens"]} if known else {}
    if late_usage:
        first, last = {"input_tokens": 0, "output_tokens": 0}, known
    message = {**_message(model, first), "content": [], "stop_reason": None, "stop_sequence": None}
    events = [event({"type": "message_start", "message": message}, "message_start")]
    for index, block in enumerate(blocks):
        events += [*_block_events(index, block, piece), *[PING] * pings]
    delta = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
    events.append(event({"type": "message_delta", "delta": delta, "usage": last}, "message_delta"))
    return events + [STOP] * stop


def message_body(
    *blocks: Json,
    stop_reason: str = "end_turn",
    stop_sequence: str | None = None,
    usage: Mapping[str, Any] | None = USAGE,
    model: str = "claude-opus-4-8-20260401",
) -> bytes:
    """The same in one piece."""
    ending = {"stop_reason": stop_reason, "stop_sequence": stop_sequence}
    return _json({**_message(model, usage or {}), "content": list(blocks), **ending})


def anthropic_stream(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    **options: Any,
) -> list[bytes]:
    """A stream as every form has one; `options` are those of `message_stream`."""
    reason = finish_reason or ("tool_use" if tool_calls else "end_turn")
    return message_stream(*_blocks(text, reasoning, tool_calls), stop_reason=reason, usage=usage, **options)


def anthropic_body(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    **options: Any,
) -> bytes:
    """The same in one piece."""
    reason = finish_reason or ("tool_use" if tool_calls else "end_turn")
    return message_body(*_blocks(text, reasoning, tool_calls), stop_reason=reason, usage=usage, **options)


def glm_anthropic_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """`anthropic_stream` as GLM's host sends it, which tells the prompt at the end."""
    return anthropic_stream(*arguments, late_usage=True, **options)


def anthropic_error(
    kind: str, status: int, message: str = "simulated failure", headers: Mapping[str, str] | None = None, **more: Any
) -> list[Step]:
    """A refusal as an HTTP error; `more` stands beside the type and the message."""
    return whole(_json(_error(kind, message, more)), status, {**JSON, **(headers or {})})


def anthropic_error_event(kind: str, message: str = "simulated failure") -> bytes:
    """An error inside a stream."""
    return event(_error(kind, message, {}), "error")


def count_body(tokens: int = 33) -> bytes:
    """How many tokens a prompt has."""
    return _json({"input_tokens": tokens})


def models_body() -> bytes:
    """A page of models."""
    entry = {"type": "model", "id": "claude-opus-4-8", "display_name": "Opus", "created_at": "2026-04-01T00:00:00Z"}
    return _json({"data": [entry], "has_more": False, "first_id": entry["id"], "last_id": entry["id"]})


def _error(kind: str, message: str, more: Mapping[str, Any]) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_upstream"}


def _message(model: str, usage: Mapping[str, Any]) -> Json:
    return {"id": "msg_upstream", "type": "message", "role": "assistant", "model": model, "usage": dict(usage)}


def _blocks(text: str, reasoning: str, calls: Sequence[Call]) -> list[Json]:
    thought = [thinking_block(reasoning)] if reasoning else []
    return [*thought, *([text_block(text)] if text else []), *map(tool_block, calls)]


def _block_events(index: int, block: Json, piece: int) -> list[bytes]:
    kind = block["type"]
    if kind not in _DELTAS:
        return [_start(index, block), _stop(index)]
    delta, field = _DELTAS[kind]
    said = json.dumps(block["input"], ensure_ascii=False) if kind == "tool_use" else block[field]
    empty = {**block, "input": {}} if kind == "tool_use" else {**block, field: ""}
    if kind == "thinking":
        empty["signature"] = ""
    pieces = [said[at : at + piece] for at in range(0, len(said), piece)]
    deltas = [_delta(index, {"type": delta, field: part}) for part in pieces]
    if kind == "thinking":
        deltas.append(_delta(index, {"type": "signature_delta", "signature": block["signature"]}))
    return [_start(index, empty), *deltas, _stop(index)]


def _start(index: int, block: Json) -> bytes:
    return event({"type": "content_block_start", "index": index, "content_block": block}, "content_block_start")


def _delta(index: int, delta: Json) -> bytes:
    return event({"type": "content_block_delta", "index": index, "delta": delta}, "content_block_delta")


def _stop(index: int) -> bytes:
    return event({"type": "content_block_stop", "index": index}, "content_block_stop")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
