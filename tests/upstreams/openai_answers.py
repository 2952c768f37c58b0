"""Ready-made answers in OpenAI's own form, strict to the letter, and as some vendors vary it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.upstreams.answers import DONE, TEXT, USAGE, Call, Json, event
from tests.upstreams.steps import JSON, Step, whole

DETAILED: Mapping[str, Any] = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
}
"""The usage in OpenAI's words."""
PROCESSING = b": OPENROUTER PROCESSING\n\n"


def openai_chunks(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = DETAILED,
    finish_reason: str | None = None,
    *,
    model: str = "gpt-5.4-2026-03-01",
    piece: int = 4,
    reasoning_field: str = "reasoning_content",
) -> list[Json]:
    """The chunks in pieces of `piece` characters: the role, the deltas, the reason, the usage with `choices: []`."""
    deltas: list[Json] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{reasoning_field: part} for part in _pieces(reasoning, piece)]
    deltas += [{"content": part} for part in _pieces(text, piece)]
    for index, (call_id, name, arguments) in enumerate(tool_calls):
        first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
        rest = [{"index": index, "function": {"arguments": part}} for part in _pieces(arguments, piece)]
        deltas += [{"tool_calls": [delta]} for delta in (first, *rest)]
    reason = finish_reason or ("tool_calls" if tool_calls else "stop")
    choices = [_choice(delta, None) for delta in deltas] + [_choice({}, reason)]
    chunks = [{**_head(model), "choices": [choice], "usage": None} for choice in choices]
    return chunks + ([{**_head(model), "choices": [], "usage": dict(usage)}] if usage is not None else [])


def openai_stream(*arguments: Any, done: bool = True, **options: Any) -> list[bytes]:
    """The events of `openai_chunks`; without `done` there is no `[DONE]`."""
    return [event(chunk) for chunk in openai_chunks(*arguments, **options)] + [DONE] * done


def openai_body(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = DETAILED,
    finish_reason: str | None = None,
    *,
    model: str = "gpt-5.4-2026-03-01",
    reasoning_field: str = "reasoning_content",
    **more: Any,
) -> bytes:
    """The answer in one piece; `more` stands at its top."""
    message: Json = {"role": "assistant", "content": text or None, "refusal": None, "annotations": []}
    if reasoning:
        message[reasoning_field] = reasoning
    if tool_calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in tool_calls
        ]
    reason = finish_reason or ("tool_calls" if tool_calls else "stop")
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    counted = {} if usage is None else {"usage": dict(usage)}
    return _json({**_head(model), "object": "chat.completion", "choices": [choice], **counted, **more})


def groq_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """As Groq sends it: `reasoning`, and the usage in `x_groq` on the last chunk."""
    *chunks, counted = openai_chunks(*arguments, reasoning_field="reasoning", **options)
    chunks[0]["x_groq"] = {"id": "req_1"}
    chunks[-1]["x_groq"] = {"id": "req_1", "usage": counted["usage"]}
    for chunk in chunks:
        del chunk["usage"]
    return [*map(event, chunks), DONE]


def grok_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """As xAI sends it: the completion is counted without the reasoning."""
    *chunks, counted = openai_chunks(*arguments, **options)
    return [*map(event, [*chunks, {**counted, "usage": _without_reasoning(counted["usage"])}]), DONE]


def grok_body(*arguments: Any, usage: Mapping[str, Any] = DETAILED, **options: Any) -> bytes:
    """The same in one piece."""
    return openai_body(*arguments, usage=_without_reasoning(usage), **options)


def deepseek_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """As DeepSeek sends it: hits and misses of the cache apart, and comments while it is busy."""
    *chunks, counted = openai_chunks(*arguments, **options)
    return [b": keep-alive\n\n", *map(event, [*chunks, {**counted, "usage": _hits(counted["usage"])}]), DONE]


def deepseek_body(*arguments: Any, usage: Mapping[str, Any] = DETAILED, **options: Any) -> bytes:
    """The same in one piece, behind the blank lines that it sends while it is busy."""
    return b"\n\n\n" + openai_body(*arguments, usage=_hits(usage), **options)


def openrouter_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """As OpenRouter sends it: comments, `reasoning`, and fields of its own."""
    chunks = openai_chunks(*arguments, reasoning_field="reasoning", **options)
    for chunk in chunks:
        chunk["provider"] = "Z.AI"
        for choice in chunk["choices"]:
            choice["native_finish_reason"] = choice["finish_reason"]
    return [PROCESSING, PROCESSING, *map(event, chunks), DONE]


def openai_error(
    status: int,
    kind: str | None = "invalid_request_error",
    code: str | None = None,
    message: str = "simulated failure",
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> list[Step]:
    """A refusal as an HTTP error."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return whole(_json({"error": error}), status, {**JSON, **(headers or {})})


def openai_error_event(
    kind: str = "server_error", code: str | None = None, message: str = "simulated failure"
) -> bytes:
    """An error inside a stream."""
    return event({"error": {"message": message, "type": kind, "param": None, "code": code}})


def embeddings_body(vectors: Sequence[Sequence[float]] = ((0.5, -0.25),), model: str = "embedder") -> bytes:
    """Embeddings as floats."""
    rows = [{"object": "embedding", "index": index, "embedding": list(one)} for index, one in enumerate(vectors)]
    return _json({"object": "list", "data": rows, "model": model, "usage": {"prompt_tokens": 3, "total_tokens": 3}})


def _head(model: str) -> Json:
    fixed = {"service_tier": "default", "system_fingerprint": "fp_50cad350e4"}
    return {"id": "chatcmpl-up1", "object": "chat.completion.chunk", "created": 1_795_200_000, "model": model, **fixed}


def _choice(delta: Json, finish_reason: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _without_reasoning(usage: Mapping[str, Any]) -> Json:
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    return {**usage, "completion_tokens": usage["completion_tokens"] - thought}


def _hits(usage: Mapping[str, Any]) -> Json:
    plain = {name: count for name, count in usage.items() if name != "prompt_tokens_details"}
    hits = usage["prompt_tokens_details"]["cached_tokens"]
    return {**plain, "prompt_cache_hit_tokens": hits, "prompt_cache_miss_tokens": usage["prompt_tokens"] - hits}


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
