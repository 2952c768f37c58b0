"""Tells by its first bytes what a file is, whatever it is called."""

from collections.abc import Mapping

IMAGES: Mapping[str, bytes] = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
}
PDF = "application/pdf"
_PDF_MARK, _PDF_WITHIN = b"%PDF-", 1024
"""The mark may have a little rubbish ahead of it."""


def image_type(data: bytes) -> str | None:
    """The type of an image that models read; None for everything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for kind, mark in IMAGES.items() if data.startswith(mark)), None)


def document_type(data: bytes) -> str | None:
    """PDF's type for a PDF; None for everything else."""
    return PDF if _PDF_MARK in data[:_PDF_WITHIN] else None
