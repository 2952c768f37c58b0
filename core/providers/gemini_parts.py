"""Writes the parts of messages in Gemini's form (https://ai.google.dev/api/caching#Part)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from core.errors import InvalidRequest
from core.providers.data_urls import read_data_url
from core.providers.draft import Draft
from core.providers.foreign_json import mapping, text
from schemas.chat import DocumentPart, ImagePart, Message, OpaquePart, Part, TextPart, ToolCall
from schemas.codec import loads

Wire = dict[str, Any]

TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "bmp": "image/bmp",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "xml": "text/xml",
    "json": "application/json",
}
"""The type of a linked file by its suffix: Gemini wants one named with each."""
IMAGE, DOCUMENT = "image/jpeg", "application/pdf"
"""What a file is taken for when neither its URL nor its suffix says."""
AUDIO: Mapping[str, str] = {"mp3": "audio/mp3", "wav": "audio/wav", "pcm16": "audio/pcm"}


def wire_parts(draft: Draft, message: Message, index: int) -> list[Wire]:
    """The content of message number `index`; what Gemini cannot be shown is dropped by name.

    Raises InvalidRequest for a `data:` URL that is none.
    """
    wires = (_part(draft, part, f"messages[{index}].content[{place}]") for place, part in enumerate(message.parts))
    return [wire for wire in wires if wire is not None]


def _part(draft: Draft, part: Part, where: str) -> Wire | None:
    if isinstance(part, TextPart):
        # Gemini refuses empty text.
        return {"text": part.text} if part.text else None
    if isinstance(part, ImagePart):
        if part.detail not in (None, "auto"):
            draft.drop("image_url.detail")
        return _file(part.url, IMAGE, where)
    if isinstance(part, DocumentPart):
        return _document(part, where)
    return _opaque(draft, part)


def _document(part: DocumentPart, where: str) -> Wire | None:
    if part.url is not None:
        return _file(part.url, DOCUMENT, where)
    written = f"{part.name}:\n{part.text}" if part.name and part.text else part.text
    return {"text": written} if written else None


def _file(url: str, fallback: str, where: str) -> Wire:
    inline = read_data_url(url)
    if inline is not None:
        return {"inlineData": {"mimeType": inline.mime_type or fallback, "data": inline.data}}
    if url[:5].lower() == "data:":
        raise InvalidRequest(f"{where}: this data URL holds no data.", param=where, code="invalid_value")
    return {"fileData": {"mimeType": _type_of(url) or fallback, "fileUri": url}}


def _type_of(url: str) -> str | None:
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return TYPES.get(path.rpartition(".")[2].lower())


def _opaque(draft: Draft, part: OpaquePart) -> Wire | None:
    audio = mapping(part.body.get("input_audio"))
    data, form = text(audio.get("data")), text(audio.get("format")).lower()
    if part.kind == "input_audio" and data:
        return {"inlineData": {"mimeType": AUDIO.get(form, f"audio/{form or 'wav'}"), "data": data}}
    draft.drop(f"content.{part.kind}")
    return None


def call_part(call: ToolCall, arguments: Wire, *, signed: bool) -> Wire:
    """A call that the model made, with the signature that Gemini wants back with it, if there is one."""
    function = {"id": call.id, "name": call.name, "args": arguments}
    wire: Wire = {"functionCall": function if call.id else {"name": call.name, "args": arguments}}
    return {**wire, "thoughtSignature": call.signature} if signed and call.signature else wire


def result_parts(draft: Draft, message: Message, index: int, name: str) -> list[Wire]:
    """A tool's result: its text as the response of the function called `name`, everything else in parts after it."""
    shown = [wire for wire in wire_parts(draft, message, index) if "text" not in wire]
    response: Wire = {"name": name, "response": _response(message)}
    if message.tool_call_id:
        response = {"id": message.tool_call_id, **response}
    return [{"functionResponse": response}, *shown]


def _response(message: Message) -> Wire:
    said = "\n".join(filter(None, map(_said, message.parts)))
    if message.is_error:
        return {"error": said}
    try:
        value = loads(said) if said.lstrip().startswith("{") else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"result": said}


def _said(part: Part) -> str | None:
    return part.text if isinstance(part, (TextPart, DocumentPart)) else None
