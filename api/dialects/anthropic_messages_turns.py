"""Anthropic's messages to canonical ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api.dialects.anthropic_messages_content import block_parts, parts_of, result_parts, thinking_block
from schemas.anthropic import CountTokensRequest, WireMessage
from schemas.anthropic_blocks import WireRedactedThinking, WireThinking, WireToolResult, WireToolUse
from schemas.chat import Message, Part, TextPart, ThinkingBlock, ToolCall
from schemas.codec import dumps
from schemas.openai_chat import Wire

BILLING = "x-anthropic-billing-header:"
"""Begins a block that Claude Code puts ahead of the system prompt and writes anew with every request: whoever keeps
it in front of a prompt loses the cache of all that follows."""


def parse_messages(wire: CountTokensRequest, body: Mapping[str, Any]) -> tuple[Message, ...]:
    """The system prompt and the messages in their order; `body` is the same as it came.

    Turns are not merged, and instructions stay where they stand. Raises InvalidRequest, which names the field.
    """
    messages = list(_system(wire, body))
    for i, (message, raw) in enumerate(zip(wire.messages, body["messages"], strict=True)):
        messages.extend(parse_turn(message, raw["content"], f"messages[{i}].content"))
    return tuple(messages)


def _system(wire: CountTokensRequest, body: Mapping[str, Any]) -> Iterator[Message]:
    parts = parts_of(wire.system, body.get("system"), "system")
    kept = tuple(cut for part in parts if (cut := _without_billing(part)) is not None)
    if kept:
        yield Message("system", kept)


def _without_billing(part: Part) -> Part | None:
    """The part without the line that changes with every request; None when that is all there is."""
    if not isinstance(part, TextPart) or not part.text.startswith(BILLING):
        return part
    rest = part.text.partition("\n")[2].lstrip("\n")
    return TextPart(rest, part.cache) if rest else None


def parse_turn(message: WireMessage, body: Any, path: str) -> Iterator[Message]:
    """The canonical messages that one message stands for; `body` is its content as it came."""
    if isinstance(message.content, str) or message.role == "system":
        yield Message(message.role, parts_of(message.content, body, path))
    elif message.role == "assistant":
        yield _assistant(message.content, body, path)
    else:
        yield from _user(message.content, body, path)


def _user(blocks: Sequence[Wire], bodies: Sequence[Any], path: str) -> Iterator[Message]:
    """A message for each result of a tool, and one for what stands between them, if anything does."""
    parts: list[Part] = []
    for j, block in enumerate(blocks):
        if not isinstance(block, WireToolResult):
            parts.extend(block_parts(block, bodies[j], f"{path}[{j}]"))
            continue
        if parts:
            yield Message("user", tuple(parts))
            parts = []
        found = result_parts(block, bodies[j], f"{path}[{j}]")
        yield Message("tool", found, tool_call_id=block.tool_use_id, is_error=bool(block.is_error))
    if parts or not any(isinstance(block, WireToolResult) for block in blocks):
        yield Message("user", tuple(parts))


def _assistant(blocks: Sequence[Wire], bodies: Sequence[Any], path: str) -> Message:
    parts: list[Part] = []
    calls: list[ToolCall] = []
    thinking: list[ThinkingBlock] = []
    for j, block in enumerate(blocks):
        if isinstance(block, WireToolUse):
            calls.append(ToolCall(block.id, block.name, dumps(block.input).decode(), cache=block.cache_control))
        elif isinstance(block, WireThinking):
            thinking.append(thinking_block(block))
        elif isinstance(block, WireRedactedThinking):
            thinking.append(ThinkingBlock(data=block.data))
        else:
            parts.extend(block_parts(block, bodies[j], f"{path}[{j}]"))
    return Message(
        "assistant",
        tuple(parts),
        tuple(calls),
        reasoning="\n".join(block.text for block in thinking if block.text) or None,
        thinking=tuple(block for block in thinking if block != ThinkingBlock()),
    )
