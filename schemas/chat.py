"""The canonical chat request that every dialect parses to and every provider builds from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
ThinkingMode = Literal["tags", "field", "hide"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """Plain text of a message."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image by `http(s):` or `data:` URL; `detail` as OpenAI spells it."""

    url: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A content part no file of ours looks into (audio, video, files): kind, and body as written."""

    kind: str
    body: Mapping[str, Any]


Part = TextPart | ImagePart | OpaquePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model made; `arguments` is the JSON text the model wrote, parsed by nobody."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `reasoning` is the thinking an earlier answer carried; `tool_call_id` is set on role `tool` only."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None

    @property
    def text(self) -> str:
        """The text parts joined by a newline."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is its JSON Schema, `strict` as OpenAI defines it."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A tool that runs at the provider (GLM's web_search, retrieval, mcp): its type, and its body as written."""

    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which tool must be used; `name` is set when `mode` is `named`, `names` when a subset is allowed."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn; None everywhere means "the provider's default"."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """What the answer must look like; `schema`, `name`, `description` and `strict` belong to `json_schema`."""

    kind: Literal["text", "json_object", "json_schema"]
    schema: Mapping[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ThinkingOptions:
    """What the client asked of the model's thinking; None means "did not say"."""

    enabled: bool | None = None
    effort: str | None = None
    clear: bool | None = None


@dataclass(frozen=True, slots=True)
class Native:
    """The caller's own body and the dialect it is in, for a provider that speaks the same one."""

    dialect: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat request, whatever dialect it came in.

    `thinking_mode` is how reasoning is shown to the client; `extra` holds the client's other parameters under
    OpenAI's names, for providers that know them, and is what `X-Gateway-Dropped` is computed from.
    """

    model: str
    messages: tuple[Message, ...]
    native: Native
    stream: bool = False
    include_usage: bool = False
    thinking_mode: ThinkingMode = "tags"
    thinking: ThinkingOptions = ThinkingOptions()
    tools: tuple[Tool | HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = Sampling()
    response_format: ResponseFormat | None = None
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
