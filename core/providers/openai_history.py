"""Makes a conversation from another dialect one that OpenAI's form can carry."""

from collections.abc import Iterator
from dataclasses import replace

from core.providers.draft import Draft
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, Part, TextPart

OWN_KINDS = frozenset({"input_audio", "file", "video_url", "file_url"})
"""Parts of OpenAI's and GLM's own forms that no file of ours looks into."""


def portable(draft: Draft) -> tuple[Message, ...]:
    """The messages, where tool results are text, what they show follows in a user message, and documents are text or
    files.

    OpenAI's tool messages hold text only, and have no mark for a tool that failed. Parts that only another provider
    understands are dropped by name. A request of OpenAI's own dialect passes as it is.
    """
    messages = draft.request.messages
    if draft.request.native.dialect == "openai_chat":
        return messages
    return tuple(_carried(draft, messages))


def _carried(draft: Draft, messages: tuple[Message, ...]) -> Iterator[Message]:
    shown: list[Part] = []
    for message in messages:
        if message.role == "tool":
            text, seen = _told(draft, message)
            shown += seen
            yield text
            continue
        if shown:
            yield Message("user", tuple(shown))
            shown = []
        yield _known(draft, message)
    if shown:
        yield Message("user", tuple(shown))


def _told(draft: Draft, message: Message) -> tuple[Message, list[Part]]:
    """The tool's message as text, and what of it must follow in a message of the user."""
    texts: list[Part] = []
    seen: list[Part] = []
    for part in _known(draft, message).parts:
        (texts if isinstance(part, TextPart) else seen).append(part)
    if seen:
        names = f"What the tool call {message.tool_call_id} returned besides text:"
        seen.insert(0, TextPart(names))
        texts = texts or [TextPart("(see the next message)")]
    text = "\n".join(part.text for part in texts if isinstance(part, TextPart))
    if message.is_error and "error" not in text[:200].lower():
        text = f"Error: {text}"
    return replace(message, parts=(TextPart(text),)), seen


def _known(draft: Draft, message: Message) -> Message:
    if all(isinstance(part, (TextPart, ImagePart)) for part in message.parts):
        return message
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, OpaquePart) and part.kind not in OWN_KINDS:
            draft.drop(f"content.{part.kind}")
        elif isinstance(part, DocumentPart) and part.text is not None:
            parts.append(TextPart(f"{part.name}:\n{part.text}" if part.name else part.text))
        else:
            parts.append(part)
    return replace(message, parts=tuple(parts))
