"""Estimates the tokens of a prompt from its size alone, for limits and budgets that cannot wait for a count."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.media_kinds import PDF
from schemas.chat import ChatRequest, DocumentPart, HostedTool, ImagePart, Message, OpaquePart, Part, Tool
from schemas.codec import dumps

PER_MESSAGE = 3
PRIMING = 3
BYTES_PER_TOKEN = 4
"""What English, code and, with three bytes a character, Chinese come to on average."""
IMAGE = 1600
"""What an image comes to at most models whose sides are not over 1,500 pixels; larger ones are made smaller."""
LOW_DETAIL = 85
PDF_BYTES, PDF_LEAST, PDF_MOST = 32, 3_000, 150_000
"""A page has about 50 KB and 1,500 tokens, and hardly any model takes more than a hundred."""
MEDIA_BYTES = 256
"""Of sound and video: 32 tokens a second at 64 kbit/s."""
BASE64 = ";base64,"
MEDIA = ("image/", "audio/", "video/", PDF)
DOCUMENTS = (*MEDIA, "application/")
KINDS = ("image", "audio", "video", "file", "document")
DEEPEST = 8


def estimate_request(request: ChatRequest) -> int:
    """About as many tokens as the whole prompt has, from its size alone: in a millisecond or two, whatever the size.

    A quarter of the bytes of its body, or of what was made of that if it is more. What is in base64 counts by its kind:
    an image is 1,600 tokens (85 at low detail), a PDF or another document that is no plain text has one for 32 bytes of
    it, between 3,000 and 150,000, sound and video one for 256 bytes, 1,600 at least. So do the same by an address, with
    the least of their kind.
    """
    media = [medium for message in request.messages for part in message.parts for medium in _media(part)]
    written = _body_size(request) - sum(size for size, _ in media)
    made = sum(map(_message_size, request.messages)) + sum(map(_tool_size, request.tools))
    framing = PER_MESSAGE * len(request.messages) + PRIMING
    return max(written, made) // BYTES_PER_TOKEN + framing + sum(tokens for _, tokens in media)


def _body_size(request: ChatRequest) -> int:
    # A history that was mended has no text of its own. To write a large body only to measure it is left to those.
    return request.native.size or len(dumps(request.native.body))


def _message_size(message: Message) -> int:
    texts = [message.reasoning or "", message.name or ""]
    texts += [word for call in message.tool_calls for word in (call.name, call.arguments)]
    texts += [part.text for part in message.parts if not isinstance(part, ImagePart | OpaquePart) and part.text]
    return sum(map(_length, texts))


def _tool_size(tool: Tool | HostedTool) -> int:
    return len(dumps(tool.body if isinstance(tool, HostedTool) else (tool.name, tool.description, tool.parameters)))


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _media(part: Part) -> Iterator[tuple[int, int]]:
    """The bytes of each medium in a part that are no text, and the tokens that it counts for."""
    if isinstance(part, ImagePart):
        yield _in_base64(part.url), LOW_DETAIL if part.detail == "low" else IMAGE
    elif isinstance(part, DocumentPart) and part.url is not None:
        size = _in_base64(part.url, DOCUMENTS)
        yield size, min(max(size // PDF_BYTES, PDF_LEAST), PDF_MOST)
    elif isinstance(part, OpaquePart):
        size = sum(_hidden(part.body))
        least = IMAGE if size or any(kind in part.kind for kind in KINDS) else 0
        yield size, max(size // MEDIA_BYTES, least)


def _in_base64(url: str, kinds: tuple[str, ...] = MEDIA) -> int:
    """The length of what a data URL of these kinds holds; 0 for anything else, which is text."""
    head, mark, _ = url[:100].partition(BASE64)
    is_media = bool(mark) and head.lower().removeprefix("data:").startswith(kinds)
    return len(url) - len(head) - len(BASE64) if is_media else 0


def _hidden(value: Any, depth: int = 0) -> Iterator[int]:
    """The lengths of what is in base64 somewhere in the body of a part."""
    if not isinstance(value, Mapping) or depth >= DEEPEST:
        return
    for name, entry in value.items():
        if isinstance(entry, str):
            yield len(entry) if name == "data" and _says_media(value) else _in_base64(entry)
        else:
            yield from _hidden(entry, depth + 1)


def _says_media(value: Mapping[str, Any]) -> bool:
    """True for OpenAI's `input_audio` and Anthropic's sources, which say beside their data what it is."""
    kind = value.get("media_type")
    return (
        isinstance(kind, str) and kind.startswith(MEDIA) if kind is not None else isinstance(value.get("format"), str)
    )
