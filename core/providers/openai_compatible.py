"""Any provider that speaks OpenAI's chat completions, in steps that a vendor overrides where it differs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from core.clock import Clock
from core.errors import GatewayError, InvalidRequest, UpstreamBroken, UpstreamServerError
from core.providers import openai_faults as faults
from core.providers.base import STATUS_ERRORS, Provider, UpstreamRequest, status_error
from core.providers.draft import Draft
from core.providers.openai_embeddings import read_embeddings
from core.providers.openai_fields import sampling_fields, thinking_fields
from core.providers.openai_history import can_read, is_linked, portable
from core.providers.openai_limits import read_limits
from core.providers.openai_messages import Wire, wire_format, wire_message, wire_part
from core.providers.openai_names import fitting, renamed, shortened
from core.providers.openai_native import Policy, dumped, native_body
from core.providers.openai_raw import WHOLE, Forwarding
from core.providers.openai_stream import Answer, read_usage, until_broken
from core.providers.openai_tools import tool_fields
from core.sse import SILENCE, Event
from schemas.chat import ChatRequest, DialectName, DocumentPart, ImagePart, Message, TextPart
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.limit import LimitReading
from schemas.model import Ability, Target, ThinkingControl
from schemas.stream import ChatChunk, Finished, FinishReason, KeepAlive, ToolCallDelta
from schemas.usage import Usage

FINISH_REASONS: Mapping[str, FinishReason | type[GatewayError]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": UpstreamServerError,
}
"""What ends an answer, or the error that ending is; any other word counts as `stop`."""


class OpenAICompatible(Provider):
    """The whole recipe for an endpoint without oddities. `base_url` is the API base or its …/chat/completions."""

    kind: ClassVar[str] = "openai-compatible"
    dialect: ClassVar[DialectName | None] = "openai_chat"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {"streaming", "tools", "vision", "documents", "thinking", "json_object", "json_schema", "embeddings"}
    )
    control: ClassVar[ThinkingControl] = "effort"
    policy: ClassVar[Policy] = Policy()
    stop_limit: ClassVar[int] = 4
    max_tokens_field: ClassVar[str] = "max_tokens"
    reasoning_field: ClassVar[str | None] = None
    """Where reasoning of earlier turns goes in the history; None leaves it out."""
    finish_reasons: ClassVar[Mapping[str, FinishReason | type[GatewayError]]] = FINISH_REASONS

    def __init__(self, name: str, base_url: str, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(name, base_url.rstrip("/").removesuffix("/chat/completions"), clock, headers)

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"Authorization": f"Bearer {credential.secret}"}

    def inlines(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        """OpenAI has no place for the address of a document; what came in its own form goes as it is."""
        native = request.native.dialect == self.dialect
        return isinstance(part, DocumentPart) and not native and "documents" in target.info.abilities

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        native = request.native.dialect == self.dialect
        draft = Draft(request if native else fitting(request), target, request_id)
        body, sent = native_body(draft, self.policy) if native else dumped(self.body(draft))
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json" if native and not request.stream else "text/event-stream",
            "X-Request-ID": request_id,
            **self.session(request),
            **self.signed(credential),
        }
        url = f"{self.base_url}/chat/completions"
        return UpstreamRequest(url, headers, body, dropped=draft.dropped, sent=sent, form="openai_chat")

    def session(self, request: ChatRequest) -> dict[str, str]:
        """Headers that keep a conversation where its prompt is cached."""
        return {}

    def body(self, draft: Draft) -> Wire:
        """The body of a translated request, keys always in the same order.

        Such answers are always streamed: a whole one is folded from chunks.
        """
        body: Wire = {
            "model": draft.target.model,
            **self.tools(draft),
            "messages": self.messages(draft),
            "stream": True,
            **({} if "stream_options" in draft.request.omit else {"stream_options": {"include_usage": True}}),
            **self.sampling(draft),
            **self.thinking(draft),
            **self.response_format(draft),
            **self.identity(draft),
        }
        return {**body, **self.extras(draft, body)}

    def messages(self, draft: Draft) -> list[Wire]:
        """The conversation."""
        return [self.message(draft, message, index) for index, message in enumerate(portable(draft, self.takes))]

    def takes(self, draft: Draft, part: ImagePart | DocumentPart) -> bool:
        """Whether the model reads `part`; OpenAI has no place for the address of a document."""
        return can_read(draft, part) and (isinstance(part, ImagePart) or not is_linked(part))

    def message(self, draft: Draft, message: Message, index: int) -> Wire:
        """Message number `index`."""
        return wire_message(message, self.content(draft, message, index), self.reasoning_field)

    def content(self, draft: Draft, message: Message, index: int) -> str | list[Wire]:
        """The content of message number `index`: a plain string when it is nothing but text."""
        if all(isinstance(part, TextPart) for part in message.parts):
            return message.text
        return [wire_part(part) for part in message.parts]

    def tools(self, draft: Draft) -> Wire:
        """Everything about tools."""
        return tool_fields(draft)

    def sampling(self, draft: Draft) -> Wire:
        """How tokens are drawn, and how many; stop words beyond `stop_limit` are the gateway's to emulate."""
        return sampling_fields(draft, self.max_tokens_field, self.stop_limit)

    def thinking(self, draft: Draft) -> Wire:
        """What the client asked of the model's thinking."""
        return thinking_fields(draft)

    def response_format(self, draft: Draft) -> Wire:
        """What the answer must look like."""
        wanted = draft.request.response_format
        return {} if wanted is None else {"response_format": wire_format(wanted)}

    def identity(self, draft: Draft) -> Wire:
        """Who asks."""
        user = draft.user(64)
        return {} if user is None else {"user": user}

    def extras(self, draft: Draft, body: Wire) -> Wire:
        """The client's other parameters, which may add to `body` and replace nothing in it.

        Here they are dropped: they came in another dialect, whose names mean nothing to this one.
        """
        for name, value in draft.request.extra.items():
            if value is not None:
                draft.drop(name)
        return {}

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        native = request.native.dialect == self.dialect
        forwarding = Forwarding() if native and request.verbatim else None
        answer = Answer(forwards=forwarding is not None)
        names = {} if native else shortened(request)
        for event in until_broken(events, answer):
            if event is SILENCE:
                if answer.reason is not None:
                    break  # the answer is whole, only its usage is missing, which will not come any more
                yield KeepAlive()
                continue
            if event.data.startswith(b"[DONE]"):
                answer.complete = True
                break
            said = self._frame(event)
            reading = answer.read(self.tidied(said), whole=event.name == WHOLE)
            chunks = reading.chunks if forwarding is None else forwarding.tie(event, said, reading)
            yield from renamed(chunks, names) if names else chunks
            if answer.raw_reason is not None and answer.reason is None:
                answer.reason = self.finish_reason(answer.raw_reason, produced=answer.produced)
        reason = answer.last_reason()
        if reason == "tool_calls":
            yield from (ToolCallDelta(index, arguments="{}") for index in answer.calls.bare())
        usage = None if answer.raw_usage is None else self.usage(answer.raw_usage)
        raw = () if forwarding is None else forwarding.ending(reason, legacy=answer.legacy)
        yield Finished(reason, usage, raw=raw, may_be_empty=answer.untold and not answer.produced, model=answer.model)

    def tidied(self, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        """The frame as OpenAI would have written it, for vendors that put something elsewhere. Raises GatewayError."""
        return frame

    def _frame(self, event: Event) -> Mapping[str, Any]:
        try:
            frame = loads(event.data)
        except ValueError as cause:
            if event.name == "error":
                said = faults.Said(event.data.decode("utf-8", "replace"))
                raise faults.fault(UpstreamServerError, said) from cause
            raise UpstreamBroken("the provider sent something that is no JSON") from cause
        if isinstance(frame, dict) and "choices" in frame and not frame.get("error"):
            return frame
        said_so = faults.read_said(frame)
        if said_so is not None or event.name == "error":
            raise self.fault(said_so or faults.Said(""), None, None)
        return frame if isinstance(frame, dict) else {}

    def finish_reason(self, word: str, *, produced: bool) -> FinishReason:
        """What the provider's word for the end means; raises when it means failure."""
        meaning = self.finish_reasons.get(word, "stop")
        if isinstance(meaning, str):
            return meaning
        raise faults.fault(meaning, faults.Said(f"the provider ended its answer with {word}", word))

    def usage(self, raw: Mapping[str, Any]) -> Usage | None:
        """The provider's token counts in our form."""
        return read_usage(raw)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        wait = faults.retry_after(headers, self._clock.now())
        try:
            said = faults.read_said(loads(body))
        except ValueError:
            said = None
        if said is None:
            return status_error(status, f"the provider answered HTTP {status} without saying why", wait)
        return self.fault(said, status, wait)

    def fault(self, said: faults.Said, status: int | None, wait: float | None) -> GatewayError:
        """The error for what the provider said; `status` is None inside an answer, `wait` in seconds."""
        kind = faults.CODES.get(said.code or "") or faults.CODES.get(said.type or "")
        status = status or faults.http_code(said.code)
        if kind is None and status is not None:
            kind = STATUS_ERRORS.get(status) or type(status_error(status, ""))
        kind = kind or faults.TYPES.get(said.type or "", UpstreamServerError)
        return faults.fault(kind, said, param=said.param, retry_after=wait)

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        """Some servers know no `stream_options`, and say so with a 400."""
        if "stream_options" in request.omit or not isinstance(error, InvalidRequest):
            return None
        named = "stream_options" in error.message or error.param == "stream_options"
        return replace(request, omit=request.omit | {"stream_options"}) if named else None

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        headers = {"Content-Type": "application/json", "X-Request-ID": request_id, **self.signed(credential)}
        # Floats, whatever the caller wants: not every server knows base64, and it is made here.
        body = {**request.native, "model": target.model, "encoding_format": "float"}
        return UpstreamRequest(f"{self.base_url}/embeddings", headers, dumps(body))

    def read_embeddings(self, body: bytes) -> Embeddings:
        return read_embeddings(body)

    def limits(self, headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
        return read_limits(headers, self._clock.now())

    def probe(self, credential: Credential) -> UpstreamRequest | None:
        headers = {"Accept": "application/json", **self.signed(credential)}
        return UpstreamRequest(f"{self.base_url}/models", headers, method="GET")
