"""The items of a conversation as the messages that a model is told."""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.chat import (
    DialectName,
    DocumentPart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    Role,
    TextPart,
    ThinkingBlock,
    ToolCall,
)
from schemas.codec import dumps
from schemas.conversation import Item, StoredItem
from services.conversation_items import PLAIN_TEXT

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
ROLES: Mapping[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
URLS = ("http://", "https://", "data:")
"""How a file begins that is told by where it is, or with its type; data alone is a PDF's, as in OpenAI's form."""
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def history(items: Sequence[StoredItem], dialect: DialectName) -> list[Message | Mapping[str, Any]]:
    """The messages, in order: each as its client wrote it if that was in `dialect`, else as a canonical one.

    The same items always give the same messages, so that a prompt begins with what the one before it was. What an
    answer that was broken off had begun of tool calls and thinking is left out, as nobody can go on from there.
    """
    return list(_entries(items, dialect))


@dataclass(slots=True)
class _Turn:
    """What of one answer has been gathered so far."""

    thinking: list[ThinkingBlock] = field(default_factory=list)
    parts: tuple[Part, ...] | None = None
    calls: list[ToolCall] = field(default_factory=list)

    def message(self) -> Message | None:
        """The assistant's message; None when there is none, as thinking alone is none either."""
        if not self.parts and not self.calls:
            return None
        text = "\n".join(block.text for block in self.thinking if block.text)
        return Message(
            "assistant", self.parts or (), tuple(self.calls), reasoning=text or None, thinking=tuple(self.thinking)
        )


def _entries(items: Sequence[StoredItem], dialect: DialectName) -> Iterator[Message | Mapping[str, Any]]:
    turn, at = _Turn(), 0
    while at < len(items):
        stored = items[at]
        written = _as_written(items, at, dialect)
        if written is None and _belongs(stored.item, turn):
            _add(stored, turn)
            at += 1
            continue
        said = turn.message()
        if said is not None:
            yield said
        turn = _Turn()
        if written is not None:
            yield written
            at += stored.place[1]
        elif _is_of_turn(stored.item):
            _add(stored, turn)
            at += 1
        else:
            yield _other(stored)
            at += 1
    said = turn.message()
    if said is not None:
        yield said


def _as_written(items: Sequence[StoredItem], at: int, dialect: DialectName) -> Mapping[str, Any] | None:
    """The message that the items from there on stand for, if it is in this dialect and none of them was deleted."""
    first = items[at]
    if first.original is None or first.original.dialect != dialect:
        return None
    count = first.place[1]
    places = [item.place for item in items[at : at + count]]
    return first.original.message if places == [(index, count) for index in range(count)] else None


def _is_of_turn(item: Item) -> bool:
    return item["type"] in CALLS or item["type"] == "reasoning" or item.get("role") == "assistant"


def _belongs(item: Item, turn: _Turn) -> bool:
    """True for what goes on the message under way: thinking, then text, then calls."""
    if item["type"] == "reasoning":
        return turn.parts is None and not turn.calls
    if item.get("role") == "assistant":
        return turn.parts is None and not turn.calls
    return item["type"] in CALLS


def _add(stored: StoredItem, turn: _Turn) -> None:
    item = stored.item
    if item["type"] == "message":
        turn.parts = _parts(item["content"])
    elif item.get("status") == "incomplete":
        return
    elif item["type"] == "reasoning":
        turn.thinking.append(_thinking(stored))
    else:
        text = item[CALLS[item["type"]]]
        arguments = text if item["type"] == "function_call" else dumps({"input": text}).decode()
        turn.calls.append(ToolCall(item["call_id"], item["name"], arguments))


def _thinking(stored: StoredItem) -> ThinkingBlock:
    item = stored.item
    text = "\n".join(part["text"] for part in item.get("content") or item.get("summary") or ())
    sealed = item.get("encrypted_content")
    if stored.seal == "redacted":
        return ThinkingBlock(data=sealed)
    return ThinkingBlock(text, sealed if stored.seal == "signature" else None)


def _other(stored: StoredItem) -> Message:
    item = stored.item
    if item["type"] in OUTPUTS:
        return Message("tool", _parts(item["output"]), tool_call_id=item["call_id"], is_error=stored.failed)
    return Message(ROLES[item["role"]], _parts(item["content"]))


def _parts(content: Any) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    return tuple(_part(part) for part in content)


def _part(part: Mapping[str, Any]) -> Part:
    kind = part["type"]
    if kind in TEXTS:
        return TextPart(part["text"])
    if kind == "refusal":
        return TextPart(part["refusal"])
    if kind == "input_image":
        detail = part.get("detail")
        return ImagePart(part["image_url"], None if detail == "auto" else detail)
    if kind == "input_file":
        return _document(part)
    return OpaquePart(kind, part)


def _document(part: Mapping[str, Any]) -> DocumentPart:
    url, name = part.get("file_url") or part.get("file_data"), part.get("filename")
    if isinstance(url, str) and url.startswith(PLAIN_TEXT):
        return DocumentPart(text=b64decode(url.removeprefix(PLAIN_TEXT)).decode(errors="replace"), name=name)
    if url is None or url.startswith(URLS):
        return DocumentPart(url, name=name)
    return DocumentPart(f"data:application/pdf;base64,{url}", name=name)
