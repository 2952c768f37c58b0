"""A whole answer as OpenAI's `chat.completion` object."""

from typing import Any

from api.dialects.base import Reply
from api.dialects.openai_chat_native import forwarded_answer
from api.dialects.openai_chat_words import finish_reason, is_legacy
from schemas.answer import Answer
from schemas.chat import ToolCall
from schemas.usage import Usage


def render_answer(answer: Answer, reply: Reply) -> dict[str, Any]:
    """The object, with every field the specification demands; the provider's own where it speaks this form."""
    if answer.native is not None:
        forwarded = forwarded_answer(answer, answer.native, reply)
        if answer.retold and answer.usage is not None and not forwarded.get("usage"):
            forwarded["usage"] = usage_object(answer.usage)
        return forwarded
    legacy = is_legacy(reply)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.text or (None if answer.tool_calls else ""),
        "refusal": None,
        "annotations": [],
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls and legacy:
        message["function_call"] = _function(answer.tool_calls[0])
    elif answer.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": _function(call)} for call in answer.tool_calls
        ]
    body: dict[str, Any] = {
        "id": reply.id,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.request.model,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(answer.reason, legacy)}
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_object(answer.usage)
    return body


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage: the prompt includes cached tokens; what was not reported is left out; estimates say so."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output or 0,
        "total_tokens": usage.total,
    }
    details = {"cached_tokens": usage.read, "cache_write_tokens": _sum(usage.write_short, usage.write_long)}
    if known := {name: tokens for name, tokens in details.items() if tokens is not None}:
        body["prompt_tokens_details"] = known
    if usage.reasoning is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    if usage.source == "estimated":
        body["estimated"] = True
    return body


def _sum(short: int | None, long: int | None) -> int | None:
    return None if short is None and long is None else (short or 0) + (long or 0)


def _function(call: ToolCall) -> dict[str, str]:
    return {"name": call.name, "arguments": call.arguments}
