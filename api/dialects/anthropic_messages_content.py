"""Anthropic's content blocks to canonical parts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from api.problems import missing
from core.errors import InvalidRequest
from schemas.anthropic_blocks import (
    ImageSource,
    WireDocument,
    WireImage,
    WireSearchResult,
    WireText,
    WireThinking,
    WireToolResult,
)
from schemas.chat import UNSIGNED, CacheMark, DocumentPart, ImagePart, OpaquePart, Part, TextPart, ThinkingBlock
from schemas.openai_chat import Wire

OURS = UNSIGNED.partition(":")[0] + ":"
"""What a signature begins with that the gateway made up."""
URL_SCHEMES = ("http://", "https://", "data:")


def parts_of(content: str | Sequence[Wire] | None, body: Any, path: str) -> tuple[Part, ...]:
    """The parts of a whole content; `body` is the same as it came. Raises InvalidRequest, which names the field."""
    if content is None or isinstance(content, str):
        return (TextPart(content),) if content else ()
    return tuple(part for j, block in enumerate(content) for part in block_parts(block, body[j], f"{path}[{j}]"))


def block_parts(block: Wire, body: Mapping[str, Any], path: str) -> Iterator[Part]:
    """The parts that say what the block says; a block of a type nobody looks into is carried as it came."""
    if isinstance(block, WireText):
        if block.text:
            yield TextPart(block.text, block.cache_control)
    elif isinstance(block, WireImage):
        url = _url(block.source, f"{path}.source")
        yield OpaquePart(block.type, body) if url is None else ImagePart(url, cache=block.cache_control)
    elif isinstance(block, WireDocument):
        yield from _document(block, body, path)
    elif isinstance(block, WireSearchResult):
        said = "\n".join(text.text for text in block.content)
        yield TextPart(f"{block.title}\n{block.source}\n\n{said}", block.cache_control)
    elif body["type"] == "tool_reference" and isinstance(body.get("tool_name"), str):
        # A search for tools found one; other providers are told of every tool from the start.
        yield TextPart(f"The tool {body['tool_name']} can be used.")
    else:
        yield OpaquePart(body["type"], body)


def result_parts(result: WireToolResult, body: Mapping[str, Any], path: str) -> tuple[Part, ...]:
    """What a tool brought; a cache mark on the whole is one on its last part."""
    parts = parts_of(result.content, body.get("content"), f"{path}.content")
    return (*parts[:-1], _marked(parts[-1], result.cache_control)) if parts and result.cache_control else parts


def thinking_block(block: WireThinking) -> ThinkingBlock:
    """The thinking, without a signature that the gateway made up."""
    signature = block.signature or ""
    return ThinkingBlock(block.thinking, None if signature.startswith(OURS) else signature or None)


def _document(block: WireDocument, body: Mapping[str, Any], path: str) -> Iterator[Part]:
    source, mark = block.source, block.cache_control
    if block.context:
        yield TextPart(block.context)
    if source.type == "text":
        if source.data is None:
            raise missing(f"{path}.source.data")
        yield DocumentPart(text=source.data, name=block.title, cache=mark)
    elif source.type == "content":
        parts = parts_of(source.content, body["source"].get("content"), f"{path}.source.content")
        yield DocumentPart(text=_texts(parts), name=block.title, cache=mark)
        yield from (part for part in parts if not isinstance(part, TextPart))
    else:
        url = _url(source, f"{path}.source")
        yield OpaquePart(block.type, body) if url is None else DocumentPart(url, name=block.title, cache=mark)


def _url(source: ImageSource, path: str) -> str | None:
    """An http, https or data URL; None for a source that only its provider can read."""
    if source.type == "base64":
        if source.media_type is None:
            raise missing(f"{path}.media_type")
        if source.data is None:
            raise missing(f"{path}.data")
        return f"data:{source.media_type};base64,{source.data}"
    if source.type != "url":
        return None
    if source.url is None:
        raise missing(f"{path}.url")
    if not source.url.startswith(URL_SCHEMES):
        message = f"{path}.url: must be an http, https or data URL."
        raise InvalidRequest(message, param=f"{path}.url", code="invalid_value")
    return source.url


def _texts(parts: Iterable[Part]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def _marked(part: Part, mark: CacheMark) -> Part:
    match part:
        case TextPart(text, None):
            return TextPart(text, mark)
        case ImagePart(url, detail, None):
            return ImagePart(url, detail, mark)
        case DocumentPart(url, text, name, None):
            return DocumentPart(url, text, name, mark)
        case _:
            return part
