"""OpenAI's messages to the items of a conversation, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from api.dialects.base import unmarked
from api.dialects.openai_chat_messages import parse_messages
from api.dialects.openai_chat_repair import with_content
from api.problems import invalid_request
from core.errors import InvalidRequest
from schemas.chat import DocumentPart, ImagePart, Message, Part, TextPart, ToolCall
from schemas.codec import dumps
from schemas.conversation import Original, StoredItem
from schemas.openai_chat import WireMessage
from services.conversation_history import history
from services.conversation_items import items_for, with_original

Wire = Mapping[str, Any]
INSTRUCTIONS = ("system", "developer")


class OpenAIChatHistory:
    """Instructions are the system and developer messages that the request begins with."""

    def spoken(self, body: Wire) -> list[Wire]:
        """What follows the instructions."""
        messages = body["messages"]
        return list(messages[_instructions(messages) :])

    def continued(self, body: Wire, items: Sequence[StoredItem]) -> tuple[Wire, int]:
        """The body with the history behind its instructions."""
        messages = body["messages"]
        first = _instructions(messages)
        told = self.messages(items, keeps=_keeps_thinking(body))
        return {**body, "messages": [*messages[:first], *told, *messages[first:]]}, len(told)

    def items(self, message: Wire, number: int) -> list[StoredItem]:
        """The items of one message, which is kept as it was written too if it cannot be written so again."""
        message = unmarked(message)
        mended = with_content(message, [])
        try:
            canonical = parse_messages([WireMessage.model_validate(mended)], [mended], number)
        except ValidationError as error:
            raise _numbered(invalid_request(error), number) from None
        items = items_for(canonical)
        same = dumps(self.messages(items)) == dumps([message])
        return items if same else with_original(items, Original("openai_chat", message))

    def messages(self, items: Sequence[StoredItem], *, keeps: bool = False) -> list[Wire]:
        """The messages; thinking is among them where it led to tool calls, and with `keeps` everywhere."""
        entries = [one for one in history(items, "openai_chat") if not _says_nothing(one)]
        return [_written(one, keeps=keeps) if isinstance(one, Message) else one for one in entries]


def _instructions(messages: Sequence[Wire]) -> int:
    """How many messages are instructions."""
    roles = (message.get("role") if isinstance(message, Mapping) else None for message in messages)
    return next((at for at, role in enumerate(roles) if role not in INSTRUCTIONS), len(messages))


def _keeps_thinking(body: Wire) -> bool:
    thinking = body.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("clear_thinking") is False


def _says_nothing(entry: Message | Wire) -> bool:
    """True for a turn of the assistant that would be mended away."""
    return isinstance(entry, Message) and entry.role == "assistant" and not (entry.parts or entry.tool_calls)


def _numbered(error: InvalidRequest, number: int) -> InvalidRequest:
    path = f"messages[{number}].{error.param}"
    return InvalidRequest(f"messages[{number}].{error.message}", param=path, code=error.code)


def _written(message: Message, *, keeps: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role}
    if message.role == "tool":
        wire["tool_call_id"] = message.tool_call_id
    wire["content"] = _content(message)
    if message.reasoning and (keeps or message.tool_calls):
        wire["reasoning_content"] = message.reasoning
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    return wire


def _content(message: Message) -> str | list[dict[str, Any]] | None:
    if not message.parts:
        return None if message.tool_calls else ""
    first = message.parts[0]
    if len(message.parts) == 1 and isinstance(first, TextPart):
        return first.text
    return [_part(part) for part in message.parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        detail = {} if part.detail is None else {"detail": part.detail}
        return {"type": "image_url", "image_url": {"url": part.url, **detail}}
    if isinstance(part, DocumentPart):
        return _document(part)
    return {"type": part.kind, **part.body}


def _document(part: DocumentPart) -> dict[str, Any]:
    if part.url is None:
        return {"type": "text", "text": f"{part.name}:\n{part.text}" if part.name else part.text or ""}
    name = {} if part.name is None else {"filename": part.name}
    return {"type": "file", "file": {**name, "file_data": part.url}}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
