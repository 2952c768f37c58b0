"""Canonical messages as the items that a conversation keeps."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from schemas.chat import DocumentPart, ImagePart, Message, Part, TextPart, ThinkingBlock, ToolCall
from schemas.conversation import Original, Status, StoredItem

PLAIN_TEXT = "data:text/plain;charset=utf-8;base64,"
"""How a document that is plain text is written, as there is no other place for it in a file."""
SPEAKERS = {"system": "system", "user": "user", "assistant": "assistant"}


def items_for(messages: Sequence[Message]) -> list[StoredItem]:
    """The items that stand for one message of a client, which is these canonical ones."""
    items = [item for message in messages for item in _of_message(message)]
    return [replace(one, place=(index, len(items))) for index, one in enumerate(items)]


def with_original(items: Sequence[StoredItem], original: Original) -> list[StoredItem]:
    """The same items, the first of them with the message as it was written."""
    return [replace(one, original=original if index == 0 else None) for index, one in enumerate(items)]


def answer_items(
    thinking: Iterable[ThinkingBlock], text: str, calls: Iterable[ToolCall], status: Status
) -> list[StoredItem]:
    """The items that stand for what a model has said; thinking and text are apart, whatever the client was shown."""
    items = [_reasoning(block, status) for block in thinking]
    if text:
        items.append(StoredItem(_message("assistant", [output_text(text)], status)))
    return items + [_call(call, status) for call in calls]


def output_text(text: str) -> dict[str, Any]:
    """What a model has said, as a part."""
    return {"type": "output_text", "text": text, "annotations": []}


def _of_message(message: Message) -> list[StoredItem]:
    if message.role == "tool":
        return [_output(message)]
    thinking = message.thinking or ((ThinkingBlock(message.reasoning),) if message.reasoning else ())
    items = [_reasoning(block, "completed") for block in thinking]
    if message.parts or not message.tool_calls:
        parts = [_part(part, message.role) for part in message.parts]
        items.append(StoredItem(_message(SPEAKERS[message.role], parts, "completed")))
    return items + [_call(call, "completed") for call in message.tool_calls]


def _message(role: str, content: list[dict[str, Any]], status: Status) -> dict[str, Any]:
    return {"type": "message", "role": role, "status": status, "content": content}


def _reasoning(block: ThinkingBlock, status: Status) -> StoredItem:
    content = [{"type": "reasoning_text", "text": block.text}] if block.text else []
    item: dict[str, Any] = {"type": "reasoning", "summary": [], "content": content, "status": status}
    if block.data is not None:
        return StoredItem({**item, "encrypted_content": block.data}, seal="redacted")
    if block.signature is not None:
        return StoredItem({**item, "encrypted_content": block.signature}, seal="signature")
    return StoredItem(item)


def _call(call: ToolCall, status: Status) -> StoredItem:
    return StoredItem(
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": status,
        }
    )


def _output(message: Message) -> StoredItem:
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    output: str | list[dict[str, Any]] = "".join(texts)
    if len(message.parts) > 1 or len(texts) < len(message.parts):
        output = [_part(part, "user") for part in message.parts]
    item = {
        "type": "function_call_output",
        "call_id": message.tool_call_id or "",
        "output": output,
        "status": "completed",
    }
    return StoredItem(item, failed=message.is_error)


def _part(part: Part, role: str) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return output_text(part.text) if role == "assistant" else {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": part.url, "file_id": None, "detail": part.detail or "auto"}
    if isinstance(part, DocumentPart):
        return _document(part)
    return {"type": part.kind, **part.body}


def _document(part: DocumentPart) -> dict[str, Any]:
    if part.url is not None and part.url.startswith(("http://", "https://")):
        return {"type": "input_file", "file_url": part.url, "filename": part.name}
    data = part.url if part.url is not None else PLAIN_TEXT + b64encode((part.text or "").encode()).decode()
    return {"type": "input_file", "file_data": data, "filename": part.name}
