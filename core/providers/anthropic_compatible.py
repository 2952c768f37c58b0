"""Any provider that speaks Anthropic's Messages, in steps that a vendor overrides where it differs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from core.clock import Clock
from core.errors import GatewayError, UpstreamBroken, UpstreamServerError
from core.providers.anthropic_betas import COMPATIBLE, beta_header
from core.providers.anthropic_body import COUNTED, Policy, native_body
from core.providers.anthropic_errors import Trouble, error_of, read_trouble, refuses_replay
from core.providers.anthropic_limits import read_limits
from core.providers.anthropic_replay import OMITTED
from core.providers.anthropic_request import translated_body
from core.providers.anthropic_stream import WHOLE, Answer, until_done
from core.providers.anthropic_thinking import plan
from core.providers.base import Provider, UpstreamRequest, status_error
from core.providers.draft import Draft
from core.providers.openai_faults import Said, fault, retry_after
from core.sse import SILENCE, Event
from schemas.chat import ChatRequest, DialectName
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.limit import LimitReading
from schemas.model import Ability, Target
from schemas.stream import ChatChunk, Finished, FinishReason, KeepAlive

Wire = dict[str, Any]

VERSION_HEADER, VERSION = "anthropic-version", "2023-06-01"
STOP_REASONS: Mapping[str, FinishReason | type[GatewayError]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""What ends an answer, or the error that ending is; any other word counts as `stop`."""


class AnthropicCompatible(Provider):
    """The whole recipe for an endpoint without oddities. `base_url` is the host, its …/v1 or its …/v1/messages.

    `freezes_billing`: Claude Code's block about itself, which changes with every request, is taken off the system
    prompt. `marks_prefix`: what translated prompts begin with is marked for the cache, which caches nothing else.
    `counts` tells that the endpoint counts tokens.
    """

    kind: ClassVar[str] = "anthropic-compatible"
    dialect: ClassVar[DialectName | None] = "anthropic_messages"
    abilities: ClassVar[frozenset[Ability]] = frozenset({"streaming", "tools", "vision", "thinking"})
    betas: ClassVar[frozenset[str]] = COMPATIBLE
    freezes_billing: ClassVar[bool] = True
    marks_prefix: ClassVar[bool] = False
    counts: ClassVar[bool] = True
    stop_reasons: ClassVar[Mapping[str, FinishReason | type[GatewayError]]] = STOP_REASONS

    def __init__(
        self,
        name: str,
        base_url: str,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        betas: frozenset[str] | None = None,
    ) -> None:
        """`betas` are the beta flags that may be sent instead of those known of the kind; `*` stands for all."""
        base = base_url.rstrip("/").removesuffix("/messages").removesuffix("/v1")
        super().__init__(name, base, clock, headers)
        self._betas = self.betas if betas is None else betas
        self._policy = Policy(self.issuer, self.freezes_billing)

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"x-api-key": credential.secret}

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        draft = Draft(request, target, request_id)
        native = request.native.dialect == self.dialect
        if native:
            body, sent = native_body(draft, self._policy)
        else:
            sent = self.body(draft)
            body = dumps(sent)
        accept = "application/json" if native and not request.stream else "text/event-stream"
        asking = self._asking("messages", draft, credential, body, accept)
        return replace(asking, sent=sent, form="anthropic_messages")

    def answer_limit(self, request: ChatRequest, target: Target) -> int | None:
        return plan(Draft(request, target, ""), may_budget=True).max_tokens

    def body(self, draft: Draft) -> Wire:
        """The body of a request that came in another dialect."""
        return translated_body(draft, self.issuer, marks_prefix=self.marks_prefix)

    def count(
        self, request: ChatRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        if not self.counts:
            return None
        draft = Draft(request, target, request_id)
        if request.native.dialect == self.dialect:
            body, _ = native_body(draft, self._policy, COUNTED)
        else:
            body = dumps({name: value for name, value in self.body(draft).items() if name in COUNTED})
        return self._asking("messages/count_tokens", draft, credential, body, "application/json")

    def read_count(self, body: bytes) -> int:
        try:
            count = loads(body)["input_tokens"]
        except (ValueError, KeyError, TypeError) as cause:
            raise UpstreamBroken("the provider's count of tokens is unreadable") from cause
        if not isinstance(count, int) or count < 0:
            raise UpstreamBroken("the provider's count of tokens is no number")
        return count

    def _asking(self, path: str, draft: Draft, credential: Credential, body: bytes, accept: str) -> UpstreamRequest:
        request = draft.request
        native = request.native.dialect == self.dialect
        headers = {
            "Content-Type": "application/json",
            "Accept": accept,
            "X-Request-ID": draft.request_id,
            VERSION_HEADER: request.native.headers.get(VERSION_HEADER, VERSION) if native else VERSION,
            **(beta_header(draft, self._betas) if native else {}),
            **self.signed(credential),
        }
        return UpstreamRequest(f"{self.base_url}/v1/{path}", headers, body, dropped=draft.dropped)

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        native = request.native.dialect == self.dialect
        answer = Answer(native=native, forwards=native and request.verbatim)
        for event in until_done(events, answer):
            if event is SILENCE:
                yield KeepAlive()
            else:
                yield from answer.read(event, self._value(event))
        reason = self.finish_reason(answer)
        usage = answer.figures.usage(produced=answer.produced)
        # A turn that a model ended without a word (after tool results) is an answer, a call that is none is not.
        said_so = not answer.produced and answer.stop_reason not in (None, "tool_use")
        yield Finished(reason, usage, answer.stop_sequence, tuple(answer.end), said_so, answer.model)

    def _value(self, event: Event) -> Wire:
        """What the event says; raises the error that it is, if it is one."""
        try:
            value = loads(event.data)
        except ValueError as cause:
            if event.name == "error":
                raise fault(UpstreamServerError, Said(event.data.decode("utf-8", "replace"))) from cause
            raise UpstreamBroken("the provider sent something that is no JSON") from cause
        said = value if isinstance(value, dict) else {}
        failed = "error" in (event.name, said.get("type")) or bool(said.get("error"))
        if not failed and (event.name != WHOLE or "content" in said):
            return said
        trouble = read_trouble(value)
        if trouble is None and not failed:
            raise UpstreamBroken("the provider's answer is no message")
        raise self.fault(trouble or Trouble(Said("")), None, None)

    def finish_reason(self, answer: Answer) -> FinishReason:
        """Why the answer ended. Raises UpstreamBroken when the provider never said that it did, and what its word for
        the end means if that is failure.
        """
        word = answer.stop_reason
        if word is None:
            if not answer.ended:
                raise UpstreamBroken("the provider's answer broke off before its end")
            if not answer.produced:
                raise UpstreamBroken("the provider's answer was empty")
            return "tool_calls" if answer.calls else "stop"
        meaning = self.stop_reasons.get(word, "stop")
        if isinstance(meaning, str):
            return meaning
        raise fault(meaning, Said(f"the provider ended its answer with {word}", word))

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        wait = retry_after(headers, self._clock.now())
        try:
            trouble = read_trouble(loads(body))
        except ValueError:
            trouble = None
        if trouble is None:
            return status_error(status, f"the provider answered HTTP {status} without saying why", wait)
        return self.fault(trouble, status, wait)

    def fault(self, trouble: Trouble, status: int | None, wait: float | None) -> GatewayError:
        """The error for what the provider said; `status` is None inside an answer, `wait` in seconds."""
        return error_of(trouble, status, wait, self._clock.now())

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        """Thinking of earlier answers may have been signed elsewhere, or no longer be whole: then without it."""
        if OMITTED in request.omit or not refuses_replay(request, error):
            return None
        return replace(request, omit=request.omit | {OMITTED})

    def limits(self, headers: Mapping[str, str]) -> tuple[LimitReading, ...]:
        return read_limits(headers)
