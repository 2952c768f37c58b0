"""Anthropic's Messages request as it comes over the wire (https://docs.anthropic.com/en/api/messages)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from schemas.anthropic_blocks import Block, CacheControl, WireOther
from schemas.openai_chat import Count, First, Flag, Integer, ModelName, Number, Wire

MAX_MESSAGES = 100_000
MAX_STOP_SEQUENCES = 128


class WireMessage(Wire):
    """One message; `system` is for instructions in the middle of a conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Block], First]


class WireTool(Wire):
    """A tool of the client's own, whose type is `custom` or left out."""

    type: str | None = None
    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: Flag | None = None
    cache_control: CacheControl = None


def _tool_kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else None
    return "WireTool" if kind in (None, "custom") else "WireOther"


AnyTool = Annotated[
    Annotated[WireTool, Tag("WireTool")] | Annotated[WireOther, Tag("WireOther")], Discriminator(_tool_kind)
]
"""A tool of the client's own, or one of the provider's, which is carried as it is."""


class WireToolChoice(Wire):
    """Which tool must be used."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: Flag | None = None


class ThinkingConfig(Wire):
    """How the model thinks (`disabled` is the one type that turns it off), and how that is shown."""

    type: str
    budget_tokens: Count | None = None
    display: str | None = None


class OutputFormat(Wire):
    """What the answer must look like."""

    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(Wire):
    """How much effort goes into the answer, and its form."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Metadata(Wire):
    """Who asks."""

    user_id: str | None = None


class CountTokensRequest(Wire):
    """The fields that are looked into; all others are accepted and told of when they have no effect."""

    model: ModelName | None = None
    messages: Annotated[list[WireMessage], First] = Field(min_length=1, max_length=MAX_MESSAGES)
    system: str | Annotated[list[Block], First] | None = None
    max_tokens: Annotated[Integer, Field(ge=0)] | None = None
    stream: Flag | None = None
    stop_sequences: Annotated[list[str], First] | None = Field(None, max_length=MAX_STOP_SEQUENCES)
    temperature: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    top_k: Annotated[Integer, Field(ge=0)] | None = None
    tools: Annotated[list[AnyTool], First] | None = None
    tool_choice: WireToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    metadata: Metadata | None = None


class MessagesRequest(CountTokensRequest):
    """The same when an answer is wanted, whose length must be bounded; a bound of 0 only fills the cache."""

    max_tokens: Annotated[Integer, Field(ge=0)]
