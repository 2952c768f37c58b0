"""OpenAI's chat request as it comes over the wire (https://platform.openai.com/docs/api-reference/chat/create)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints


class Wire(BaseModel):
    """Takes what it does not know, as clients send more than the specification has."""

    model_config = ConfigDict(extra="allow", frozen=True)


MAX_INTEGER = 2**63 - 1
ModelName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
"""A blank around it is nobody's name for a model, and some providers would overlook it."""


def _a_number(value: Any) -> Any:
    # A whole number may come as 5.0, which is why pydantic's own strictness would be too much.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic expects ValueError
    return value


Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_a_number)]
Integer = Annotated[int, Field(ge=-MAX_INTEGER - 1, le=MAX_INTEGER), BeforeValidator(_a_number)]
Count = Annotated[int, Field(ge=1, le=MAX_INTEGER), BeforeValidator(_a_number)]
# A hostile list of a million wrong entries is to make one error, not a million.
First = Field(fail_fast=True)


class ImageUrl(Wire):
    """An image's address."""

    url: str = Field(min_length=1)
    detail: str | None = None


class ContentPart(Wire):
    """A part of a message: `text` and `image_url` are looked into, all other types are carried as they are."""

    type: str
    text: str | None = None
    image_url: ImageUrl | str | None = None
    refusal: str | None = None


class FunctionCall(Wire):
    """A call's name and its arguments, which some clients send as an object instead of JSON text."""

    name: str
    arguments: str | dict[str, Any] | None = None


class CustomCall(Wire):
    """A call of a custom tool."""

    name: str
    input: str = ""


class WireToolCall(Wire):
    """A call in an assistant's message."""

    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None
    custom: CustomCall | None = None


class WireMessage(Wire):
    """One message of any role."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[ContentPart], First] | None = None
    name: str | None = None
    tool_calls: Annotated[list[WireToolCall], First] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None


class FunctionDefinition(Wire):
    """What a function is called, what it does, and the JSON Schema of its parameters."""

    name: str = Field(min_length=1, max_length=128)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: Flag | None = None


class NamedFunction(Wire):
    """A function or custom tool by its name."""

    name: str


class WireTool(Wire):
    """A function, or a tool of another type that is carried as it is."""

    type: str = "function"
    function: FunctionDefinition | None = None
    custom: NamedFunction | None = None


class JsonSchema(Wire):
    """The schema of a structured answer."""

    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: Flag | None = None


class WireResponseFormat(Wire):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(Wire):
    """What a stream contains besides the answer."""

    include_usage: Flag | None = None


class WireThinking(Wire):
    """GLM's switch, which its own clients send."""

    type: str | None = None
    clear_thinking: Flag | None = None


class AllowedTool(Wire):
    """A tool that may be called: a function with its wrapper or without, a custom tool, or one of the provider."""

    type: str = "function"
    name: str | None = None
    function: NamedFunction | None = None
    custom: NamedFunction | None = None


class AllowedTools(Wire):
    """The tools that may be called."""

    mode: Literal["auto", "required"] = "auto"
    tools: Annotated[list[AllowedTool], First] = []


class WireToolChoice(Wire):
    """A tool that must be used, or the tools that may be."""

    type: str
    function: NamedFunction | None = None
    custom: NamedFunction | None = None
    allowed_tools: AllowedTools | None = None


class LegacyFunctionChoice(Wire):
    """The function that must be called, as it was written before there were tools."""

    name: str


class ChatCompletionRequest(Wire):
    """The fields that are looked into; all others are accepted and told of when they have no effect."""

    model: ModelName | None = None
    messages: Annotated[list[WireMessage], First] = Field(min_length=1)
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    n: Count | None = None
    stop: str | Annotated[list[str], First] | None = None
    seed: Integer | None = None
    tools: Annotated[list[WireTool], First] | None = None
    tool_choice: Literal["none", "auto", "required"] | WireToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    functions: Annotated[list[FunctionDefinition], First] | None = None
    function_call: Literal["none", "auto"] | LegacyFunctionChoice | None = None
    response_format: WireResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    thinking: WireThinking | Flag | None = None
    enable_thinking: Flag | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    user: str | None = None
