"""Ready-made answers of Gemini in its own form."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.upstreams.answers import TEXT, Call, Json, event
from tests.upstreams.steps import Step, whole

USAGE: Mapping[str, Any] = {
    "promptTokenCount": 9,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 21,
}
"""The prompt includes what was cached, the candidates exclude the thoughts."""


def gemini_responses(
    text: str = TEXT,
    reasoning: str = "",
    tool_calls: Sequence[Call] = (),
    usage: Mapping[str, Any] | None = USAGE,
    finish_reason: str | None = None,
    *,
    model: str = "gemini-2.5-flash-002",
    piece: int = 4,
    signature: str | None = None,
) -> list[Json]:
    """The responses in pieces of `piece` characters; calls come whole, `signature` on the first of them."""
    parts: list[Json] = [{"text": part, "thought": True} for part in _pieces(reasoning, piece)]
    parts += [{"text": part} for part in _pieces(text, piece)]
    for index, (call_id, name, arguments) in enumerate(tool_calls):
        call = {"functionCall": {"id": call_id, "name": name, "args": json.loads(arguments)}}
        parts.append(call if signature is None or index else {**call, "thoughtSignature": signature})
    contents = [[part] for part in parts] + [[{"text": ""}]]
    responses = [_response(content, model) for content in contents]
    responses[-1]["candidates"][0]["finishReason"] = finish_reason or "STOP"
    if usage is not None:
        for response in responses:
            response["usageMetadata"] = {"promptTokenCount": usage["promptTokenCount"]}
        responses[-1]["usageMetadata"] = dict(usage)
    return responses


def gemini_stream(*arguments: Any, **options: Any) -> list[bytes]:
    """The events that `alt=sse` gives; the end is that the connection has no more."""
    return [event(response) for response in gemini_responses(*arguments, **options)]


def gemini_body(*arguments: Any, **options: Any) -> bytes:
    """All responses as one array, as they come without `alt=sse`, in few pieces."""
    return json.dumps(gemini_responses(*arguments, piece=10_000, **options), ensure_ascii=False).encode()


def gemini_error(
    status: int, word: str, message: str = "simulated failure", details: Sequence[Json] = ()
) -> list[Step]:
    """A refusal as an HTTP error."""
    return whole(json.dumps(error_object(status, word, message, details)).encode(), status)


def error_object(status: int, word: str, message: str = "simulated failure", details: Sequence[Json] = ()) -> Json:
    """An error in Google's words."""
    return {"error": {"code": status, "message": message, "status": word, "details": list(details)}}


def count_body(tokens: int = 33) -> bytes:
    """How many tokens a prompt has."""
    return json.dumps({"totalTokens": tokens}).encode()


def embeddings_body(vectors: Sequence[Sequence[float]] = ((0.5, -0.25),)) -> bytes:
    """Embeddings of a batch."""
    return json.dumps({"embeddings": [{"values": list(one)} for one in vectors]}).encode()


def models_body() -> bytes:
    """A page of models."""
    return json.dumps({"models": [{"name": "models/gemini-2.5-flash", "displayName": "Flash"}]}).encode()


def _response(parts: list[Json], model: str) -> Json:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    return {"candidates": [candidate], "modelVersion": model, "responseId": "resp-1"}


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]
