"""Gemini in its own form, on Google's Developer API (https://ai.google.dev/api)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote, urlsplit

from core.clock import Clock
from core.errors import GatewayError
from core.providers import gemini_vectors as vectors
from core.providers import openai_faults as faults
from core.providers.base import Provider, UpstreamRequest, status_error
from core.providers.carrying import refusal
from core.providers.draft import Draft
from core.providers.gemini_answer import Answer
from core.providers.gemini_content import SIGNATURES
from core.providers.gemini_errors import read_trouble, trouble_error
from core.providers.gemini_fields import wire_body
from core.providers.gemini_refusals import refused, refuses_signatures
from core.providers.stream_end import until_ended
from core.sse import SILENCE, Event
from schemas.chat import ChatRequest
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.limit import LimitFacts
from schemas.model import Ability, Target, ThinkingControl
from schemas.stream import ChatChunk, KeepAlive

VERSION = "/v1beta"
COLLECTIONS = ("models/", "tunedModels/")
ENDED = b"[DONE]"
"""Google sends no such thing; proxies that stand in for it do."""


class Gemini(Provider):
    """All models of the Developer API; `base_url` is its base with the version, or the host alone."""

    kind: ClassVar[str] = "gemini"
    limit_facts: ClassVar[LimitFacts] = LimitFacts(per_model=True)
    control: ClassVar[ThinkingControl] = "effort"
    issuer: ClassVar[str | None] = "gemini"
    families: ClassVar[tuple[str, ...]] = ("gemini-",)
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {
            "streaming",
            "tools",
            "vision",
            "documents",
            "thinking",
            "json_object",
            "json_schema",
            "prompt_cache",
            "embeddings",
        }
    )

    def __init__(self, name: str, base_url: str, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        base = base_url.rstrip("/").removesuffix("/openai").removesuffix("/models")
        super().__init__(name, base if urlsplit(base).path else base + VERSION, clock, headers)

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"x-goog-api-key": credential.secret}

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        draft = Draft(request, target, request_id)
        body = wire_body(draft)
        headers = self._sent(credential, request_id, accept="text/event-stream")
        url = self._url(target, "streamGenerateContent?alt=sse")
        return UpstreamRequest(url, headers, dumps(body), dropped=draft.dropped, sent=body, form="gemini")

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        """The chunks of one answer, also of one that comes as an array or whole.

        A refused prompt raises ContentRefused, an answer that is stopped for safety ends in `content_filter`. Code that
        Google ran comes as fenced text. Images and sources in an answer are left out, as are signatures of text: Gemini
        demands back only those of calls.
        """
        answer = Answer(self._clock.now())
        for event in until_ended(events, answer.is_ended):
            if event is SILENCE:
                yield KeepAlive()
            elif not event.data.startswith(ENDED):
                yield from answer.read(event)
        yield answer.finish()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        now = self._clock.now()
        wait = faults.retry_after(headers, now)
        try:
            trouble = read_trouble(loads(body))
        except ValueError:
            trouble = None
        if trouble is None:
            return status_error(status, f"the provider answered HTTP {status} without saying why", wait)
        return trouble_error(trouble, status, wait, now)

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        """Models differ in what they take, and some of it only shows when they refuse it."""
        names = {refusal(name, request) for name in refused(error)}
        if refuses_signatures(error):
            names.add(SIGNATURES)
        return replace(request, omit=request.omit | names) if names - request.omit else None

    def count(
        self, request: ChatRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        body = {"model": model_path(target.model), **wire_body(Draft(request, target, request_id))}
        headers = self._sent(credential, request_id)
        return UpstreamRequest(self._url(target, "countTokens"), headers, dumps({"generateContentRequest": body}))

    def read_count(self, body: bytes) -> int:
        return vectors.read_count(body)

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        body = dumps(vectors.wire_embeddings(request, model_path(target.model)))
        return UpstreamRequest(self._url(target, "batchEmbedContents"), self._sent(credential, request_id), body)

    def read_embeddings(self, body: bytes) -> Embeddings:
        return vectors.read_embeddings(body)

    def probe(self, credential: Credential) -> UpstreamRequest | None:
        headers = {"Accept": "application/json", **self.signed(credential)}
        return UpstreamRequest(f"{self.base_url}/models?pageSize=1", headers, method="GET")

    def _url(self, target: Target, verb: str) -> str:
        collection, _, name = model_path(target.model).partition("/")
        return f"{self.base_url}/{collection}/{quote(name, safe='')}:{verb}"

    def _sent(self, credential: Credential, request_id: str, accept: str = "application/json") -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Accept": accept,
            "X-Request-ID": request_id,
            **self.signed(credential),
        }


def model_path(model: str) -> str:
    """The model as a resource: a name without its collection is one of Google's own models."""
    return model if model.startswith(COLLECTIONS) else COLLECTIONS[0] + model
