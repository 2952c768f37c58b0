"""Makes a conversation from another dialect one that OpenAI's form can carry."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from core.providers.draft import Draft
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, Part, TextPart
from schemas.model import Ability

Reads = Callable[[Draft, ImagePart | DocumentPart], bool]
"""Whether the model of a draft takes a part."""
OWN_KINDS = frozenset({"input_audio", "file", "video_url", "file_url"})
"""Parts of OpenAI's and GLM's own forms that no file of ours looks into."""


def can_read(draft: Draft, part: ImagePart | DocumentPart) -> bool:
    """True for what the catalogue says the model can read, and for every model that it does not know."""
    ability: Ability = "vision" if isinstance(part, ImagePart) else "documents"
    return ability in draft.target.info.abilities


def is_linked(part: DocumentPart) -> bool:
    """True for a document that is given by its address."""
    return part.url is not None and part.url.startswith(("http://", "https://"))


def portable(draft: Draft, takes: Reads) -> tuple[Message, ...]:
    """The messages, where tool results are text, what they show follows in a user message, and documents are text or
    files.

    OpenAI's tool messages hold text only, and have no mark for a tool that failed. Parts that only another provider
    understands are dropped by name, and so is what the model does not take, with a word in its place: what was shown
    once stays in the history of a coding agent, and a refusal would end its session. A request of OpenAI's own dialect
    passes as it is but for that in its tool results.
    """
    messages = draft.request.messages
    if draft.request.native.dialect == "openai_chat":
        return tuple(_readable(draft, each, takes) if each.role == "tool" else each for each in messages)
    return tuple(_carried(tuple(_readable(draft, _known(draft, each), takes) for each in messages)))


def _carried(messages: tuple[Message, ...]) -> Iterator[Message]:
    shown: list[Part] = []
    for message in messages:
        if message.role == "tool":
            text, seen = _told(message)
            shown += seen
            yield text
            continue
        if shown:
            yield Message("user", tuple(shown))
            shown = []
        yield message
    if shown:
        yield Message("user", tuple(shown))


def _told(message: Message) -> tuple[Message, list[Part]]:
    """The tool's message as text, and what of it must follow in a message of the user."""
    texts: list[Part] = []
    seen: list[Part] = []
    for part in message.parts:
        (texts if isinstance(part, TextPart) else seen).append(part)
    if seen:
        names = f"What the tool call {message.tool_call_id} returned besides text:"
        seen.insert(0, TextPart(names))
        texts = texts or [TextPart("(see the next message)")]
    text = "\n".join(part.text for part in texts if isinstance(part, TextPart))
    if message.is_error and "error" not in text[:200].lower():
        text = f"Error: {text}"
    marks = [part.cache for part in message.parts if isinstance(part, TextPart) and part.cache is not None]
    return replace(message, parts=(TextPart(text, cache=marks[-1] if marks else None),)), seen


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


def _readable(draft: Draft, message: Message, takes: Reads) -> Message:
    parts = tuple(_in_words(draft, part, takes) for part in message.parts)
    return message if parts == message.parts else replace(message, parts=parts)


def _in_words(draft: Draft, part: Part, takes: Reads) -> Part:
    """The part, or in words that it was left out."""
    if not isinstance(part, (ImagePart, DocumentPart)) or takes(draft, part):
        return part
    if isinstance(part, ImagePart):
        draft.drop("content.image")
        return TextPart("[An image stood here, which this model cannot see.]")
    draft.drop("content.document")
    name = f" ({part.name})" if part.name else ""
    return TextPart(f"[A document{name} stood here, which this model cannot read.]")
