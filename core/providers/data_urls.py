"""Reads `data:` URLs (RFC 2397) as the type and the base64 text that providers want apart."""

from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes


@dataclass(frozen=True, slots=True)
class InlineData:
    """A file as base64 text; `mime_type` is empty when the URL names none."""

    mime_type: str
    data: str = field(repr=False)


def read_data_url(url: str) -> InlineData | None:
    """What `url` holds; None when it is no `data:` URL. What is not base64 yet becomes it."""
    head, comma, body = url.partition(",")
    scheme, colon, described = head.partition(":")
    if not (comma and colon) or scheme.strip().lower() != "data":
        return None
    mime_type, *parameters = (piece.strip().lower() for piece in described.split(";"))
    if "base64" not in parameters:
        return InlineData(mime_type, b64encode(unquote_to_bytes(body)).decode())
    return InlineData(mime_type, unquote(body) if "%" in body else body)
