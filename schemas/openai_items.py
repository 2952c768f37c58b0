"""Items as clients send them (https://platform.openai.com/docs/api-reference/conversations)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationInfo, model_validator

from schemas.openai_chat import First, Flag, Integer, Wire

Status = Literal["in_progress", "completed", "incomplete"]
NEEDED: Mapping[str, tuple[str, ...]] = {
    "input_text": ("text",),
    "output_text": ("text",),
    "text": ("text",),
    "summary_text": ("text",),
    "reasoning_text": ("text",),
    "refusal": ("refusal",),
    "input_image": ("image_url",),
    "input_file": ("file_data", "file_url"),
    "input_audio": ("input_audio",),
    "video_url": ("video_url",),
}
"""The types of parts that models can be told, and of which fields a part of that type needs one."""
COPIED = "copied"
"""In the context of a validation: the parts are copies of what chats have brought, which may be of any type."""
MAX_TOKENS = 1_000_000_000_000
MAX_COST = 1_000_000
MAX_TIME = 253_402_300_799
"""The last second of the year 9999."""
URL_SCHEMES = ("http://", "https://", "data:")


class WirePart(Wire):
    """A part of a message; one of a type that is not known here is carried as it is, in copies only."""

    type: str = Field(min_length=1, max_length=64)
    text: str | None = None
    refusal: str | None = None
    image_url: str | dict[str, Any] | None = None
    detail: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: dict[str, Any] | None = None
    video_url: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _is_whole(self, info: ValidationInfo) -> "WirePart":
        if self.type not in NEEDED and not (info.context or {}).get(COPIED):
            raise ValueError(f"must be of a type that is one of {', '.join(NEEDED)}, not {self.type!r}")
        needed = NEEDED.get(self.type, ())
        if needed and all(getattr(self, name) is None for name in needed):
            raise ValueError(f"must have {' or '.join(needed)}, as its type is {self.type}")
        if self.type == "input_image" and not str(self.image_url).startswith(URL_SCHEMES):
            raise ValueError("must have an http, https or data URL as its image_url")
        if self.type == "input_file" and self.file_url is not None and not self.file_url.startswith(URL_SCHEMES):
            raise ValueError("must have an http, https or data URL as its file_url")
        return self


Content = str | Annotated[list[WirePart], First]


class WireItemMessage(Wire):
    """A message of any side; its type may be left out."""

    type: Literal["message"] = "message"
    id: str | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: Content
    status: Status | None = None


class WireFunctionCall(Wire):
    """A call that a model made."""

    type: Literal["function_call"]
    id: str | None = None
    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1, max_length=128)
    arguments: str
    status: Status | None = None


class WireFunctionOutput(Wire):
    """What a call brought."""

    type: Literal["function_call_output"]
    id: str | None = None
    call_id: str = Field(min_length=1)
    output: Content
    status: Status | None = None


class WireCustomCall(Wire):
    """A call of a custom tool."""

    type: Literal["custom_tool_call"]
    id: str | None = None
    call_id: str = Field(min_length=1)
    name: str = Field(min_length=1, max_length=128)
    input: str


class WireCustomOutput(Wire):
    """What a call of a custom tool brought."""

    type: Literal["custom_tool_call_output"]
    id: str | None = None
    call_id: str = Field(min_length=1)
    output: Content


class WireReasoning(Wire):
    """A model's thinking."""

    type: Literal["reasoning"]
    id: str | None = None
    summary: Annotated[list[WirePart], First] = Field(default_factory=list)
    content: Annotated[list[WirePart], First] | None = None
    encrypted_content: str | None = None
    status: Status | None = None


FORMS: Mapping[str, str] = {
    "message": "WireItemMessage",
    "function_call": "WireFunctionCall",
    "function_call_output": "WireFunctionOutput",
    "custom_tool_call": "WireCustomCall",
    "custom_tool_call_output": "WireCustomOutput",
    "reasoning": "WireReasoning",
}
"""The types of items that a model can be told again."""


def _form(value: Any) -> str | None:
    kind = value.get("type", "message") if isinstance(value, Mapping) else None
    return FORMS.get(kind) if isinstance(kind, str) else None


WireItem = Annotated[
    Annotated[WireItemMessage, Tag("WireItemMessage")]
    | Annotated[WireFunctionCall, Tag("WireFunctionCall")]
    | Annotated[WireFunctionOutput, Tag("WireFunctionOutput")]
    | Annotated[WireCustomCall, Tag("WireCustomCall")]
    | Annotated[WireCustomOutput, Tag("WireCustomOutput")]
    | Annotated[WireReasoning, Tag("WireReasoning")],
    Discriminator(
        _form,
        custom_error_type="item_type",
        custom_error_message=f"must be an item whose type is one of {', '.join(FORMS)}",
    ),
]


def _short_pairs(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 16:
        raise ValueError("must have at most 16 pairs")
    if any(len(key) > 64 or len(text) > 512 for key, text in value.items()):
        raise ValueError("must have keys of at most 64 characters and values of at most 512")
    return value


Metadata = Annotated[dict[str, str], AfterValidator(_short_pairs)]


class NewConversation(Wire):
    """What a conversation begins with."""

    metadata: Metadata | None = None
    items: Annotated[list[WireItem], First] | None = None


class ConversationUpdate(Wire):
    """What is to be known of a conversation instead."""

    metadata: Metadata | None


class NewItems(Wire):
    """What is to be added."""

    items: Annotated[list[WireItem], First] = Field(min_length=1)


Tokens = Annotated[Integer, Field(ge=0, le=MAX_TOKENS)]


class WireIncomplete(Wire):
    """Why an answer is not whole."""

    reason: str | None = Field(None, max_length=64)


class WireInputDetails(Wire):
    """What of a prompt came from a cache, and went into one."""

    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class WireOutputDetails(Wire):
    """What of an answer was thinking."""

    reasoning_tokens: Tokens | None = None


class WireUsage(Wire):
    """Tokens, as OpenAI's responses count them."""

    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    input_tokens_details: WireInputDetails = WireInputDetails()
    estimated: Flag = False
    output_tokens_details: WireOutputDetails = WireOutputDetails()

    @model_validator(mode="after")
    def _adds_up(self) -> "WireUsage":
        details = self.input_tokens_details
        if (details.cached_tokens or 0) + (details.cache_write_tokens or 0) > self.input_tokens:
            raise ValueError("must not have more tokens cached than the prompt has")
        return self


class WireTurn(Wire):
    """What became of a request, in an exported conversation."""

    created_at: float = Field(ge=0, le=MAX_TIME, allow_inf_nan=False)
    status: Literal["completed", "incomplete"]
    incomplete_details: WireIncomplete | None = None
    model: str = Field(max_length=256)
    provider: str | None = Field(None, max_length=256)
    upstream_model: str | None = Field(None, max_length=256)
    finish_reason: str | None = Field(None, max_length=64)
    usage: WireUsage | None = None
    cost_usd: float | None = Field(None, ge=0, le=MAX_COST, allow_inf_nan=False)
    request_id: str = Field("", max_length=256)
    items: Annotated[list[str], First] = Field(default_factory=list)


class ExportedHead(Wire):
    """What is known of an exported conversation."""

    metadata: Metadata | None = None


class ImportedConversation(Wire):
    """A conversation as it was exported."""

    object: Literal["conversation.export"]
    version: Literal[1]
    conversation: ExportedHead = ExportedHead()
    items: Annotated[list[WireItem], First] = Field(default_factory=list)
    turns: Annotated[list[WireTurn], First] = Field(default_factory=list)


Name = Annotated[str, Field(max_length=128, pattern=r"^\w[\w .,@+()-]*$")]


class Named(BaseModel):
    """A conversation by the name it was saved under, or by its id."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    id: str | None = None

    @model_validator(mode="after")
    def _is_told(self) -> "Named":
        if (self.name is None) == (self.id is None):
            raise ValueError("must say which: its name, or its id")
        return self


class SavedConversation(BaseModel):
    """Messages to keep under a name, never a file."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    messages: list[dict[str, Any]]
    metadata: Metadata | None = None
    model: str | None = Field(None, max_length=256)
