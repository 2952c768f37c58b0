"""An answer, and what is known of it before and after, in Anthropic's form."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from api.dialects.anthropic_messages_native import retold_content, thinking_object
from api.dialects.base import Reply
from schemas.answer import Answer
from schemas.chat import ThinkingBlock, ToolCall
from schemas.codec import loads
from schemas.stream import FinishReason
from schemas.usage import Usage

Display = Literal["full", "omitted", "none"]
"""How thinking is shown: as it is, as a block that has a signature only, or not at all."""
STOP_REASONS: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def render_answer(answer: Answer, reply: Reply) -> dict[str, Any]:
    """The message object; the provider's own, under the name that was asked for, when it speaks this dialect."""
    if answer.native is not None:
        retold = {"content": retold_content(answer, answer.native)} if answer.retold else {}
        return {**answer.native, "model": reply.request.model, **retold}
    content = [
        *_thinking(answer.thinking, thinking_display(reply)),
        *([{"type": "text", "text": answer.text}] if answer.text else ()),
        *map(_call, answer.tool_calls),
    ]
    body = message_object(reply, usage_object(answer.usage))
    return {**body, "content": content, **stop_fields(answer.reason, answer.stop_sequence)}


def message_object(reply: Reply, usage: Mapping[str, Any]) -> dict[str, Any]:
    """A message that says nothing yet, as a stream begins with it."""
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }


def stop_fields(reason: FinishReason, stop_sequence: str | None) -> dict[str, Any]:
    """Why the answer ended; a stop sequence is told of only when it is what ended it."""
    if reason == "stop" and stop_sequence is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop_sequence}
    return {"stop_reason": STOP_REASONS[reason], "stop_sequence": None}


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """Anthropic's usage, whose parts are disjoint as ours are.

    The two fields that every client reads are always there; what was not reported is left out; estimates say so.
    """
    known = usage or Usage()
    body: dict[str, Any] = {"input_tokens": known.uncached or 0}
    if known.write_short is not None or known.write_long is not None:
        short, long = known.write_short or 0, known.write_long or 0
        body["cache_creation_input_tokens"] = short + long
        body["cache_creation"] = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    if known.read is not None:
        body["cache_read_input_tokens"] = known.read
    body["output_tokens"] = known.output or 0
    if known.reasoning is not None:
        body["output_tokens_details"] = {"thinking_tokens": known.reasoning}
    if known.source == "estimated":
        body["estimated"] = True
    return body


def begun_usage(usage: Usage | None) -> dict[str, Any]:
    """What is known of the usage when an answer begins, always an estimate unless the provider counts ahead.

    It says nothing of that: SDKs lay the usage of the end over it, and would keep the mark.
    """
    return {name: value for name, value in usage_object(usage).items() if name != "estimated"}


def thinking_display(reply: Reply) -> Display:
    """How the client wants the thinking of a provider that speaks another dialect.

    Who did not ask for thinking may take the first block for the answer, and so gets none.
    """
    request = reply.request
    if not request.thinking.enabled:
        return "none"
    asked = request.native.body.get("thinking")
    return "omitted" if isinstance(asked, Mapping) and asked.get("display") == "omitted" else "full"


def arguments_object(arguments: str) -> dict[str, Any]:
    """What the model wrote as a call's arguments, as the object that clients expect whatever it was."""
    try:
        value = loads(arguments) if arguments.strip() else {}
    except ValueError:
        return {"raw": arguments}
    return value if isinstance(value, dict) else {"value": value}


def _thinking(blocks: Iterable[ThinkingBlock], display: Display) -> Iterator[dict[str, str]]:
    for block in blocks if display != "none" else ():
        if block.data is not None:
            yield {"type": "redacted_thinking", "data": block.data}
        else:
            yield thinking_object(block.text if display == "full" else "", block.signature)


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}
