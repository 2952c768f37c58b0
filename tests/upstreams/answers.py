"""Ready-made answers of the simulated providers, as bytes or lists of events."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.upstreams.steps import SSE, Step, stream, whole

DONE = b"data: [DONE]\n\n"
TEXT = "Hello, 世界! 👋"
USAGE: Mapping[str, Any] = {
    "prompt_tokens": 9,
    "completion_tokens": 12,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 4},
}
Json = dict[str, Any]
Call = tuple[str, str, str]
_BEFORE_EDIT = '<details type="reasoning" done="'


def event(value: Any, name: str | None = None) -> bytes:
    """One server-sent event; a string stands as it is, anything else as JSON."""
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


def glm_stream(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    *,
    model: str = "glm-4.6",
    answer_id: str = "20261121000000abcdef",
    piece: int = 4,
    tool_stream: bool = False,
    usage_apart: bool = False,
    done: bool = True,
) -> list[bytes]:
    """The events of the open platform, in pieces of `piece` characters; a call is (id, name, arguments).

    `usage_apart` sends the usage as OpenAI does, in a chunk of its own; without `done` there is no `[DONE]`.
    """
    head = {"id": answer_id, "created": 1_795_200_000, "model": model}
    deltas: list[Json] = [{"reasoning_content": part} for part in _pieces(reasoning, piece)]
    deltas += [{"content": part} for part in _pieces(text, piece)]
    for index, call in enumerate(tool_calls):
        deltas += [{"tool_calls": [delta]} for delta in _call_deltas(index, call, piece if tool_stream else None)]
    chunks = [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]} for delta in deltas]
    reason = finish_reason or ("tool_calls" if tool_calls else "stop")
    last = {"index": 0, "finish_reason": reason, "delta": {"role": "assistant", "content": ""}}
    chunks.append({**head, "choices": [last]})
    if usage is not None and usage_apart:
        chunks.append({**head, "choices": [], "usage": dict(usage)})
    elif usage is not None:
        chunks[-1]["usage"] = dict(usage)
    return [event(chunk) for chunk in chunks] + [DONE] * done


def glm_body(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    *,
    model: str = "glm-4.6",
) -> bytes:
    """The open platform's answer in one piece."""
    message: Json = {"role": "assistant", "content": text}
    if reasoning:
        message["reasoning_content"] = reasoning
    if tool_calls:
        message["tool_calls"] = [_call_deltas(index, call, None)[0] for index, call in enumerate(tool_calls)]
    reason = finish_reason or ("tool_calls" if tool_calls else "stop")
    choices = [{"index": 0, "finish_reason": reason, "message": message}]
    body: Json = {"id": "20261121000000abcdef", "created": 1_795_200_000, "model": model, "choices": choices}
    return _json(body if usage is None else {**body, "usage": dict(usage)})


def glm_web_stream(
    text: str = TEXT,
    reasoning: str = "",
    usage: Mapping[str, Any] | None = USAGE,
    *,
    piece: int = 4,
    closing_edit: bool = True,
    ending: str = "marker",
) -> list[bytes]:
    """The frames of chat.z.ai, in pieces of `piece` characters.

    The thinking block is closed by the edit that repeats it, or without `closing_edit` by plain deltas. `ending` is
    "marker" (`[DONE]` in a frame), "done" (`data: [DONE]`), or "close" (nothing).
    """
    frames: list[Json] = []
    answer = _pieces(text, piece)
    if reasoning:
        frames += _thinking(reasoning, piece, closing_edit)
    if reasoning and closing_edit:
        frames.append(_edit(reasoning, answer[0] if answer else ""))
        answer = answer[1:]
    frames += [{"delta_content": part, "phase": "answer"} for part in answer]
    frames += _web_end(_buffer_length(text, reasoning, closing_edit), usage)
    endings = {"marker": [event({"type": "chat:completion", "data": "[DONE]"})], "done": [DONE], "close": []}
    return [event({"type": "chat:completion", "data": frame}) for frame in frames] + endings[ending]


def glm_error(code: str | int | None, status: int, message: str = "simulated failure") -> list[Step]:
    """A refusal of the open platform as an HTTP error; also a JSON error in a 200, with status 200."""
    return whole(_json({"error": {"code": code, "message": message}}), status)


def glm_web_error(detail: Any, status: int) -> list[Step]:
    """A refusal of chat.z.ai as an HTTP error."""
    return whole(_json({"detail": detail}), status)


def error_event(code: str | int, message: str = "simulated failure", name: str | None = None) -> bytes:
    """An error of the open platform inside a stream, with or without `event: error`."""
    return event({"error": {"code": code, "message": message}}, name)


def web_error_event(detail: str, code: str | int, done: bool = True) -> bytes:
    """An error of chat.z.ai inside a stream."""
    return event({"type": "chat:completion", "data": {"error": {"detail": detail, "code": code}, "done": done}})


def error_in_stream(code: str | int, before: Sequence[bytes] = (), name: str | None = None) -> list[Step]:
    """A 200 whose stream brings `before`, then an error."""
    return stream([*before, error_event(code, name=name)], headers=SSE)


def models_body(names: Sequence[str] = ("glm-4.5", "glm-4.6")) -> bytes:
    """A model list in OpenAI's shape."""
    return _json({"object": "list", "data": [{"id": name, "object": "model", "created": 1} for name in names]})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _call_deltas(index: int, call: Call, piece: int | None) -> list[Json]:
    call_id, name, arguments = call
    first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    if piece is None:
        return [first]
    first["function"] = {"name": name, "arguments": ""}
    return [first, *({"index": index, "function": {"arguments": part}} for part in _pieces(arguments, piece))]


def _thinking(reasoning: str, piece: int, closing_edit: bool) -> list[Json]:
    quoted = reasoning.replace("\n", "\n> ") + ("" if closing_edit else "\n</details>\n")
    first, *rest = _pieces(quoted, piece)
    opening = f'{_BEFORE_EDIT}false">\n<summary>Thinking…</summary>\n> {first}'
    return [{"delta_content": part, "phase": "thinking"} for part in (opening, *rest)]


def _closing(reasoning: str) -> str:
    quoted = reasoning.replace("\n", "\n> ")
    return f'true" duration="2">\n<summary>Thought for 2 seconds</summary>\n> {quoted}\n</details>\n'


def _edit(reasoning: str, first_words: str) -> Json:
    content = _closing(reasoning) + first_words
    return {"edit_index": len(_BEFORE_EDIT), "edit_content": content, "phase": "answer"}


def _buffer_length(text: str, reasoning: str, closing_edit: bool) -> int:
    if not reasoning:
        return len(text)
    if closing_edit:
        return len(_BEFORE_EDIT) + len(_closing(reasoning)) + len(text)
    return sum(len(frame["delta_content"]) for frame in _thinking(reasoning, 1, closing_edit=False)) + len(text)


def _web_end(length: int, usage: Mapping[str, Any] | None) -> list[Json]:
    counts = {} if usage is None else {"usage": dict(usage)}
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}
    last = {"done": True, "role": "assistant", "message_id": "m-1", "edit_index": length, "edit_content": ""}
    return [
        {"phase": "other", **counts},
        {"id": "m-1", "object": "chat.completion.chunk", "choices": [choice], "phase": "answer", **counts},
        {"done": True, "delta_content": "", "phase": "done"},
        {**last, "phase": "other", **counts},
    ]
