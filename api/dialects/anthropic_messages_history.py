"""Anthropic's messages to the items of a conversation, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from api.dialects.anthropic_messages_answer import arguments_object
from api.dialects.anthropic_messages_mending import mended
from api.dialects.anthropic_messages_turns import parse_turn
from api.dialects.base import unmarked
from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.anthropic import WireMessage
from schemas.chat import UNSIGNED, DocumentPart, ImagePart, Message, Part, TextPart, ThinkingBlock
from schemas.codec import dumps
from schemas.conversation import Original, StoredItem
from services.conversation_history import history
from services.conversation_items import items_for, with_original

Wire = Mapping[str, Any]


class AnthropicMessagesHistory:
    """Instructions are the request's `system`; those that a conversation begins with are put behind them."""

    def spoken(self, body: Wire) -> list[Wire]:
        """All messages."""
        return list(body["messages"])

    def continued(self, body: Wire, items: Sequence[StoredItem]) -> tuple[Wire, int]:
        """The body with the history ahead of its messages."""
        entries = history(items, "anthropic_messages")
        first = next((at for at, one in enumerate(entries) if not _is_instruction(one)), len(entries))
        told = [_written(one) if isinstance(one, Message) else one for one in entries[first:]]
        system = [block for one in entries[:first] if isinstance(one, Message) for block in map(_block, one.parts)]
        instructed = {"system": [*_as_blocks(body.get("system")), *system]} if system else {}
        return {**body, **instructed, "messages": [*told, *body["messages"]]}, len(told)

    def items(self, message: Wire, number: int) -> list[StoredItem]:
        """The items of one message, which is kept as it was written too if it cannot be written so again."""
        message = unmarked(message)
        sound = mended(message, [])
        if sound is None:
            return []
        try:
            wire = WireMessage.model_validate(sound)
        except ValidationError as error:
            refusal = invalid_request(error)
            path = f"messages[{number}].{refusal.param}"
            raise InvalidRequest(f"messages[{number}].{refusal.message}", param=path, code=refusal.code) from None
        canonical = tuple(parse_turn(wire, sound["content"], f"messages[{number}].content"))
        items = items_for(canonical)
        same = dumps(_messages(items)) == dumps([message])
        return items if same else with_original(items, Original("anthropic_messages", message))


def _messages(items: Sequence[StoredItem]) -> list[Wire]:
    entries = history(items, "anthropic_messages")
    return [_written(one) if isinstance(one, Message) else one for one in entries]


def _is_instruction(entry: Message | Wire) -> bool:
    return isinstance(entry, Message) and entry.role == "system"


def _as_blocks(system: Any) -> list[Any]:
    if isinstance(system, str):
        return [{"type": "text", "text": system}] if system else []
    return list(system or ())


def _written(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        failed = {"is_error": True} if message.is_error else {}
        result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": _content(message.parts)}
        return {"role": "user", "content": [{**result, **failed}]}
    if message.role != "assistant" or not (message.thinking or message.tool_calls):
        return {"role": message.role, "content": _content(message.parts)}
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_object(call.arguments)}
        for call in message.tool_calls
    ]
    return {
        "role": "assistant",
        "content": [*map(_thinking, message.thinking), *map(_block, message.parts), *calls],
    }


def _content(parts: Sequence[Part]) -> str | list[Any]:
    if not parts:
        return ""
    first = parts[0]
    return first.text if len(parts) == 1 and isinstance(first, TextPart) else [_block(part) for part in parts]


def _thinking(block: ThinkingBlock) -> dict[str, Any]:
    if block.data is not None:
        return {"type": "redacted_thinking", "data": block.data}
    return {"type": "thinking", "thinking": block.text, "signature": block.signature or UNSIGNED}


def _block(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image", "source": _source(part.url)}
    if isinstance(part, DocumentPart):
        name = {} if part.name is None else {"title": part.name}
        text = {"type": "text", "media_type": "text/plain", "data": part.text or ""}
        return {"type": "document", "source": text if part.url is None else _source(part.url), **name}
    return {"type": part.kind, **part.body}


def _source(url: str) -> dict[str, Any]:
    """Where the file is, or the file itself when the address holds it."""
    head, comma, data = url.partition(";base64,")
    if not (url.startswith("data:") and comma):
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": head.removeprefix("data:").partition(";")[0], "data": data}
