"""Mends what is malformed in one message of a history by itself."""

from typing import Any

from schemas.codec import dumps, loads

ROLES = ("user", "assistant", "system")


def mended(message: Any, names: list[str]) -> Any:
    """The message with sound content, itself if it was; None for an assistant's turn that says nothing.

    Adds a name for each mended place. What is wrong beyond mending is left for the validation to refuse.
    """
    if not isinstance(message, dict) or "content" not in message or message.get("role") not in ROLES:
        return message
    content = message["content"]
    from_assistant = message["role"] == "assistant"
    if from_assistant and _says_nothing(content):
        names.append("empty_turn")
        return None
    sound = _blocks(_content(content, names), names)
    return message if sound is content else {**message, "content": sound}


def is_empty_text(block: Any) -> bool:
    """True for a text block without text, which Anthropic refuses."""
    return isinstance(block, dict) and block.get("type") == "text" and block.get("text") == ""


def _says_nothing(content: Any) -> bool:
    return content is None or content == "" or (isinstance(content, list) and all(map(is_empty_text, content)))


def _content(content: Any, names: list[str]) -> Any:
    """Content that is a string or an array: a lone block becomes an array, anything else its text."""
    if isinstance(content, (str, list)):
        return content
    names.append("content")
    if isinstance(content, dict) and isinstance(content.get("type"), str):
        return [content]
    return "" if content is None else dumps(content).decode()


def _blocks(content: Any, names: list[str]) -> Any:
    """The blocks mended, and empty text left out unless nothing would be left."""
    if not isinstance(content, list) or all(map(is_empty_text, content)):
        return content
    changed: list[Any] | None = None
    for at, block in enumerate(content):
        sound = _block(block, names)
        if sound is not block and changed is None:
            changed = content[:at]
        if sound is not None and changed is not None:
            changed.append(sound)
    return content if changed is None else changed


def _block(block: Any, names: list[str]) -> Any:
    """The block, mended if it had to be; None for empty text."""
    if is_empty_text(block):
        names.append("empty_text")
        return None
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        names.append("tool_input")
        return {**block, "input": _as_object(block.get("input"))}
    if kind == "tool_result" and block.get("content") is not None:
        content = block["content"]
        sound = _blocks(_content(content, names), names)
        return block if sound is content else {**block, "content": sound}
    return block


def _as_object(value: Any) -> dict[str, Any]:
    """Arguments as the object they should have been: some clients send JSON text, or an array."""
    if isinstance(value, str):
        try:
            value = loads(value) if value.strip() else None
        except ValueError:
            return {"value": value}
    if value is None:
        return {}
    return value if isinstance(value, dict) else {"value": value}
