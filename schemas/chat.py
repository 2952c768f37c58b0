"""The canonical chat request that every dialect parses to and every provider builds from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
DialectName = Literal["openai_chat", "anthropic_messages"]
ThinkingMode = Literal["tags", "field", "hide", "blocks"]
"""How thinking is shown: in think tags, in a field of its own, not at all, or as the dialect's own thinking blocks."""
UNSIGNED = "gateway:unsigned"
"""Stands where a dialect demands a signature of thinking whose provider signs nothing."""
CacheMark = Mapping[str, Any]
"""Anthropic's `cache_control` as the client wrote it: the prompt up to and including this is worth caching."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Plain text of a message."""

    text: str
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image by `http(s):` or `data:` URL; `detail` as OpenAI spells it."""

    url: str
    detail: str | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document by `http(s):` or `data:` URL (PDF), or as plain `text`: exactly one of the two is set."""

    url: str | None = None
    text: str | None = None
    name: str | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A content part no file of ours looks into (audio, video, file ids, a provider's own blocks): kind, and body as
    written, its `type` included."""

    kind: str
    body: Mapping[str, Any]


Part = TextPart | ImagePart | DocumentPart | OpaquePart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model made; `arguments` is the JSON text the model wrote, parsed by nobody.

    `signature` is what the provider that made the call wants back with it (Gemini's `thoughtSignature`).
    """

    id: str
    name: str
    arguments: str
    signature: str | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ThinkingBlock:
    """A piece of thinking that an earlier answer carried, with what its issuer wants back unchanged.

    `signature` signs `text`, which may be empty; a redacted block has `data` alone. `issuer` says which family of
    providers made it (`Provider.issuer`); None means that nobody here remembers.
    """

    text: str = ""
    signature: str | None = None
    data: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `tool_call_id` and `is_error` (the tool failed) belong to role `tool` only.

    `reasoning` is the text of the thinking an earlier answer carried, for providers that take it as text; `thinking`
    the same as the signed blocks it came in, if it did, for those that take them back.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None
    thinking: tuple[ThinkingBlock, ...] = ()
    is_error: bool = False

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
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A tool that runs at the provider (GLM's web_search, retrieval, mcp; Anthropic's dated ones): its type, and its
    body as written."""

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
    top_k: int | None = None


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
    """What the client asked of the model's thinking; None means "did not say".

    `effort` is one of OpenAI's words (none, minimal, low, medium, high, xhigh, max), `budget` a number of tokens.
    """

    enabled: bool | None = None
    effort: str | None = None
    clear: bool | None = None
    budget: int | None = None


@dataclass(frozen=True, slots=True)
class Native:
    """The caller's own request and the dialect it is in, for a provider that speaks the same one.

    `raw` is the body as it came over the wire, `body` the same parsed; `headers` are those of the caller's that may
    mean something to such a provider, names in lower case, credentials never among them.
    """

    dialect: DialectName
    body: Mapping[str, Any]
    raw: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    _forgotten: int = field(default=0, init=False, repr=False, compare=False)

    @property
    def size(self) -> int:
        """About how many bytes `raw` has, or had, if escaped characters stood there themselves; 0 for one never known.

        An escape has six letters, and what it stands for has two or three bytes.
        """
        return len(self.raw) - 3 * self.raw.count(b"\\u") if self.raw else self._forgotten

    def forget_raw(self) -> None:
        """Let go of `raw`, wherever this value is held: it is only of use until an answer begins, and may be large."""
        object.__setattr__(self, "_forgotten", self.size)
        object.__setattr__(self, "raw", b"")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat request, whatever dialect it came in.

    `thinking_mode` is how reasoning is shown to the client; `extra` holds the client's other parameters under
    OpenAI's names, for providers that know them, and is what `X-Gateway-Dropped` is computed from. `session` is stable
    over the turns of one conversation, None when nothing tells one from another. `repairs` names what was mended of a
    malformed history, one entry for each place. `verbatim` is False when something here may change the answer, so that
    it cannot be forwarded as it came. `omit` names what a provider has refused and is now sent without
    (see `Provider.second_try`).
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
    session: str | None = None
    repairs: tuple[str, ...] = ()
    verbatim: bool = True
    omit: frozenset[str] = frozenset()
