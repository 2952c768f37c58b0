"""The wire form of the open platform: bodies, stream events, model list."""

from collections.abc import Iterator, Mapping
from typing import Any

from demo.answers import Reply
from demo.faults import Fault
from demo.tokens import pieces
from demo.tools import Call

Json = dict[str, Any]
MODELS = ("glm-4.5", "glm-4.5-air", "glm-4.6", "glm-4.7", "glm-5", "glm-5-turbo", "glm-5.1", "glm-5.2", "glm-5.3")


def error_body(fault: Fault) -> Json:
    """How a refusal is told."""
    return {"error": {"code": fault.code, "message": fault.message}}


def usage(reply: Reply, prompt_tokens: int, cached: int) -> Json:
    """The counts of one exchange; `completion_tokens` includes the thinking."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": reply.tokens,
        "total_tokens": prompt_tokens + reply.tokens,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    }


def completion(reply: Reply, head: Mapping[str, Any], counts: Json) -> Json:
    """The answer in one piece; `head` holds id, created, model."""
    message: Json = {"role": "assistant", "content": reply.text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = [_call(head["id"], index, call) for index, call in enumerate(reply.calls)]
    choice = {"index": 0, "finish_reason": reply.finish_reason, "message": message}
    return {**head, "request_id": head["id"], "choices": [choice], "usage": counts}


def events(reply: Reply, head: Mapping[str, Any], counts: Json, tool_stream: bool) -> Iterator[Json]:
    """The answer as stream chunks: thinking, then text or calls, then the last chunk with the usage."""
    for piece in pieces(reply.reasoning):
        yield _chunk(head, {"reasoning_content": piece})
    for piece in pieces(reply.text):
        yield _chunk(head, {"content": piece})
    for index, call in enumerate(reply.calls):
        for delta in _call_deltas(_call(head["id"], index, call), tool_stream):
            yield _chunk(head, {"tool_calls": [delta]})
    last = _chunk(head, {"content": ""})
    last["choices"][0]["finish_reason"] = reply.finish_reason
    yield {**last, "usage": counts}


def model_list(created: int) -> Json:
    """The models on offer, in OpenAI's shape."""
    rows = [{"id": name, "object": "model", "created": created, "owned_by": "z-ai"} for name in MODELS]
    return {"object": "list", "data": rows}


def _chunk(head: Mapping[str, Any], delta: Json) -> Json:
    return {**head, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]}


def _call(answer_id: str, index: int, call: Call) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"index": index, "id": f"call_{answer_id}_{index}", "type": "function", "function": function}


def _call_deltas(call: Json, tool_stream: bool) -> Iterator[Json]:
    if not tool_stream:
        yield call
        return
    arguments = call["function"]["arguments"]
    yield {**call, "function": {**call["function"], "arguments": ""}}
    for piece in pieces(arguments):
        yield {"index": call["index"], "function": {"arguments": piece}}
