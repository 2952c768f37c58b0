"""The whole answer of an OpenAI-form provider, changed only where the client is to see something else."""

from collections.abc import Mapping
from typing import Any

from api.dialects.base import Reply
from api.dialects.openai_chat_raw import shown_thinking
from api.dialects.openai_chat_words import finish_reason, is_legacy
from schemas.answer import Answer
from schemas.chat import ToolCall

Json = Mapping[str, Any]

ROLE = {"role": "assistant"}
"""Whoever else a provider says is speaking, or nobody."""


def forwarded_answer(answer: Answer, native: Json, reply: Reply) -> dict[str, Any]:
    """The provider's body under the name that was asked for, with thinking shown as promised, and mended calls."""
    first = native["choices"][0]
    told = first.get("message")
    message = told if isinstance(told, Mapping) else {}
    shown = shown_thinking(message, reply.request.thinking_mode)
    if answer.retold:
        shown.update(_content(answer, message))
        if answer.reasoning:
            shown["reasoning_content"] = answer.reasoning
    shown.update(_calls(answer, message))
    word = first.get("finish_reason")
    right = word == answer.reason or (word == "function_call" and answer.reason == "tool_calls")
    ended = {} if right else {"finish_reason": finish_reason(answer.reason, is_legacy(reply))}
    choice = {"index": 0, **first, "message": {**ROLE, "content": None, **shown, **ROLE}, **ended}
    identity = {"id": native.get("id") or reply.id, "created": native.get("created") or reply.created}
    return {**native, **identity, "object": "chat.completion", "model": reply.request.model, "choices": [choice]}


def _content(answer: Answer, message: Json) -> dict[str, Any]:
    """The visible text, if it is not what the message says, a refusal aside, which has its own field."""
    refusal = message.get("refusal")
    refused = refusal if isinstance(refusal, str) and answer.text.endswith(refusal) else ""
    text = answer.text.removesuffix(refused)
    return {} if text == (message.get("content") or "") else {"content": text or None}


def _calls(answer: Answer, message: Json) -> dict[str, Any]:
    """The calls, if they are not what the message says, their unknown fields kept."""
    calls, function = message.get("tool_calls"), message.get("function_call")
    if not calls and isinstance(function, Mapping) and answer.tool_calls:
        call = answer.tool_calls[0]
        return {"function_call": {**function, "name": call.name, "arguments": call.arguments}}
    if not answer.tool_calls or not isinstance(calls, list):
        return {}
    made = iter(answer.tool_calls)
    return {"tool_calls": [_call(said, next(made)) if _is_ours(said) else said for said in calls]}


def _is_ours(call: Any) -> bool:
    return isinstance(call, Mapping) and isinstance(call.get("function"), Mapping)


def _call(said: Json, call: ToolCall) -> dict[str, Any]:
    function = {**said["function"], "name": call.name, "arguments": call.arguments}
    return {**said, "id": call.id, "type": "function", "function": function}
