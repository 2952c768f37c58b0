"""Ready-made answers of Ollama in its own form: JSON objects, one a line."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.upstreams.answers import TEXT, Call, Json
from tests.upstreams.steps import Step, whole

NDJSON = {"Content-Type": "application/x-ndjson"}
USAGE: Mapping[str, Any] = {"prompt_eval_count": 9, "eval_count": 12}


def ollama_stream(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    *,
    model: str = "qwen3:8b",
    piece: int = 4,
) -> list[bytes]:
    """The lines in pieces of `piece` characters; calls come whole, their arguments as objects."""
    messages: list[Json] = [{"content": "", "thinking": part} for part in _pieces(reasoning, piece)]
    messages += [{"content": part} for part in _pieces(text, piece)]
    messages += [{"content": "", "tool_calls": [_call(call)]} for call in tool_calls]
    lines = [_line(model, message, done=False) for message in messages]
    ending = {"done_reason": finish_reason or "stop", "total_duration": 1_000_000, **(usage or {})}
    return [_written(line) for line in [*lines, {**_line(model, {"content": ""}, done=True), **ending}]]


def ollama_body(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    *,
    model: str = "qwen3:8b",
) -> bytes:
    """The answer in one piece."""
    message: Json = {"content": text}
    if reasoning:
        message["thinking"] = reasoning
    if tool_calls:
        message["tool_calls"] = [_call(call) for call in tool_calls]
    return _written({**_line(model, message, done=True), "done_reason": finish_reason or "stop", **(usage or {})})


def ollama_error(status: int, message: str = "simulated failure") -> list[Step]:
    """A refusal as an HTTP error."""
    return whole(error_line(message), status)


def error_line(message: str = "simulated failure") -> bytes:
    """An error, also as a line in the middle of a stream."""
    return _written({"error": message})


def tags_body() -> bytes:
    """The models that are there."""
    details = {"family": "qwen3", "parameter_size": "8.2B", "quantization_level": "Q4_K_M"}
    model = {"name": "qwen3:8b", "model": "qwen3:8b", "size": 1, "digest": "0" * 64, "details": details}
    return _written({"models": [model]})


def embeddings_body(vectors: Sequence[Sequence[float]] = ((0.5, -0.25),)) -> bytes:
    """Embeddings."""
    return _written({"model": "embedder", "embeddings": [list(one) for one in vectors], "prompt_eval_count": 3})


def _line(model: str, message: Json, *, done: bool) -> Json:
    said = {"role": "assistant", **message}
    return {"model": model, "created_at": "2026-11-21T09:30:00.000001Z", "message": said, "done": done}


def _call(call: Call) -> Json:
    call_id, name, arguments = call
    return {"id": call_id, "function": {"name": name, "arguments": json.loads(arguments)}}


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
