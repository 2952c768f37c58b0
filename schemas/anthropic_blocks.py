"""The blocks Anthropic's messages are made of, as they come over the wire (https://docs.anthropic.com/en/api/messages)."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from schemas.openai_chat import First, Flag, Wire

CacheControl = dict[str, Any] | None


def _by_type(**names: str) -> Discriminator:
    """Picks a model by the value's `type` (type → name of the model); any other type is carried as it is."""

    def choose(value: Any) -> str:
        kind = value.get("type") if isinstance(value, Mapping) else None
        return names.get(kind, "WireOther") if isinstance(kind, str) else "WireOther"

    return Discriminator(choose)


class WireOther(Wire):
    """A block, or a tool, of a type that nothing here looks into."""

    type: str


class WireText(Wire):
    """Text."""

    type: str
    text: str
    cache_control: CacheControl = None


class ImageSource(Wire):
    """Where an image comes from: which fields are needed depends on `type`."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class WireImage(Wire):
    """An image."""

    type: str
    source: ImageSource
    cache_control: CacheControl = None


Quoted = Annotated[
    Annotated[WireText, Tag("WireText")]
    | Annotated[WireImage, Tag("WireImage")]
    | Annotated[WireOther, Tag("WireOther")],
    _by_type(text="WireText", image="WireImage"),
]
"""What a document may be made of."""


class DocumentSource(ImageSource):
    """Where a document comes from; `content` is for one that is made of blocks."""

    content: str | Annotated[list[Quoted], First] | None = None


class WireDocument(Wire):
    """A document; `context` is told to the model and never cited."""

    type: str
    source: DocumentSource
    title: str | None = None
    context: str | None = None
    cache_control: CacheControl = None


class WireSearchResult(Wire):
    """A passage that was found for the model."""

    type: str
    source: str
    title: str
    content: Annotated[list[WireText], First]
    cache_control: CacheControl = None


ResultBlock = Annotated[
    Annotated[WireText, Tag("WireText")]
    | Annotated[WireImage, Tag("WireImage")]
    | Annotated[WireDocument, Tag("WireDocument")]
    | Annotated[WireSearchResult, Tag("WireSearchResult")]
    | Annotated[WireOther, Tag("WireOther")],
    _by_type(text="WireText", image="WireImage", document="WireDocument", search_result="WireSearchResult"),
]
"""What the result of a tool may be made of."""


class WireToolUse(Wire):
    """A call the model made."""

    type: str
    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    input: dict[str, Any]
    cache_control: CacheControl = None


class WireToolResult(Wire):
    """What a call brought."""

    type: str
    tool_use_id: str = Field(min_length=1)
    content: str | Annotated[list[ResultBlock], First] | None = None
    is_error: Flag | None = None
    cache_control: CacheControl = None


class WireThinking(Wire):
    """Thinking of an earlier answer; clients of unsigned thinking may send none or an empty signature."""

    type: str
    thinking: str
    signature: str | None = None


class WireRedactedThinking(Wire):
    """Thinking that only its issuer can read."""

    type: str
    data: str


Block = Annotated[
    Annotated[WireText, Tag("WireText")]
    | Annotated[WireImage, Tag("WireImage")]
    | Annotated[WireDocument, Tag("WireDocument")]
    | Annotated[WireSearchResult, Tag("WireSearchResult")]
    | Annotated[WireToolUse, Tag("WireToolUse")]
    | Annotated[WireToolResult, Tag("WireToolResult")]
    | Annotated[WireThinking, Tag("WireThinking")]
    | Annotated[WireRedactedThinking, Tag("WireRedactedThinking")]
    | Annotated[WireOther, Tag("WireOther")],
    _by_type(
        text="WireText",
        image="WireImage",
        document="WireDocument",
        search_result="WireSearchResult",
        tool_use="WireToolUse",
        tool_result="WireToolResult",
        thinking="WireThinking",
        redacted_thinking="WireRedactedThinking",
    ),
]
"""What a message may be made of."""
