"""Writes canonical content as Anthropic's blocks."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from core.errors import InvalidRequest
from core.providers.draft import Draft
from schemas.chat import CacheMark, DocumentPart, ImagePart, OpaquePart, Part, TextPart

Wire = dict[str, Any]

MARK = "cache_control"
PDF = "application/pdf"
MEDIA_TYPES: Mapping[str, str] = {"image/jpg": "image/jpeg"}
"""What clients write, and what it is called."""


def marked(block: Wire, mark: CacheMark | None) -> Wire:
    """The block with the client's mark that the prompt up to here is worth caching, if there is one."""
    return block if mark is None else {**block, MARK: dict(mark)}


def text_block(text: str) -> Wire:
    """A block of text."""
    return {"type": "text", "text": text}


def blocks(draft: Draft, parts: Iterable[Part]) -> list[Wire]:
    """The parts as blocks: blank text, which Anthropic refuses, is left out, and what is another provider's own is
    dropped by name.

    Raises InvalidRequest for a data URL that is none.
    """
    written = []
    for part in parts:
        if isinstance(part, OpaquePart):
            draft.drop(f"content.{part.kind}")
        elif not isinstance(part, TextPart) or (part.text and not part.text.isspace()):
            written.append(marked(_block(draft, part), part.cache))
    return written


def text_blocks(draft: Draft, parts: Iterable[Part]) -> list[Wire]:
    """The same for places where only text may stand."""
    written = blocks(draft, parts)
    for block in written:
        if block["type"] != "text":
            draft.drop(f"content.{block['type']}")
    return [block for block in written if block["type"] == "text"]


def _block(draft: Draft, part: TextPart | ImagePart | DocumentPart) -> Wire:
    if isinstance(part, TextPart):
        return text_block(part.text)
    if isinstance(part, DocumentPart):
        return _document(part)
    if part.detail not in (None, "auto"):
        draft.drop("image_url.detail")
    source = _source(part.url)
    return {"type": "document" if source.get("media_type") == PDF else "image", "source": source}


def _document(part: DocumentPart) -> Wire:
    source = _source(part.url) if part.url is not None else _text_source(part.text or "")
    block: Wire = {"type": "document", "source": source}
    return {**block, "title": part.name} if part.name else block


def _source(url: str) -> Wire:
    if url[:5].lower() != "data:":
        return {"type": "url", "url": url}
    header, _, data = url[5:].partition(",")
    media_type, *parameters = header.lower().split(";")
    is_base64 = "base64" in parameters
    if media_type.startswith("text/"):
        return _text_source(_text(data, is_base64=is_base64))
    if not is_base64:
        data = b64encode(unquote_to_bytes(data)).decode()
    return {"type": "base64", "media_type": MEDIA_TYPES.get(media_type, media_type), "data": data}


def _text_source(text: str) -> Wire:
    return {"type": "text", "media_type": "text/plain", "data": text}


def _text(data: str, *, is_base64: bool) -> str:
    try:
        raw = b64decode(data, validate=True) if is_base64 else unquote_to_bytes(data)
    except ValueError as cause:
        raise InvalidRequest("a data URL in the conversation is no base64", param="messages") from cause
    return raw.decode("utf-8", "replace")
