"""Ollama in its own form, on a server of one's own or in its cloud (https://docs.ollama.com/api)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import ClassVar

from core.clock import Clock
from core.errors import GatewayError, InvalidRequest, UpstreamBroken
from core.providers import openai_faults as faults
from core.providers.base import Provider, UpstreamRequest, status_error
from core.providers.carrying import refusal
from core.providers.draft import Draft
from core.providers.ollama_answer import Answer
from core.providers.ollama_errors import THINKING, ollama_error
from core.providers.ollama_fields import wire_body
from core.providers.stream_end import until_ended
from core.providers.token_counts import told
from core.sse import SILENCE, Event
from schemas.chat import ChatRequest, DocumentPart, ImagePart
from schemas.codec import dumps, loads
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.model import Ability, Target, ThinkingControl
from schemas.stream import ChatChunk, KeepAlive

PATHS = ("/api/chat", "/api", "/v1")
"""What may stand behind the address in a `base_url`, as other clients want it there."""


class Ollama(Provider):
    """One server; `base_url` is its address, with or without `/api` or `/v1`. An empty secret signs nothing."""

    kind: ClassVar[str] = "ollama"
    control: ClassVar[ThinkingControl] = "switch"
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {"streaming", "tools", "vision", "thinking", "json_object", "json_schema", "embeddings"}
    )

    def __init__(self, name: str, base_url: str, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        base = base_url.rstrip("/")
        found = next((path for path in PATHS if base.endswith(path)), "")
        super().__init__(name, base.removesuffix(found), clock, headers)

    def authorize(self, credential: Credential) -> dict[str, str]:
        return {"Authorization": f"Bearer {credential.secret}"} if credential.secret else {}

    def inlines(self, request: ChatRequest, target: Target, part: ImagePart | DocumentPart) -> bool:
        return isinstance(part, ImagePart)

    def build(self, request: ChatRequest, target: Target, credential: Credential, request_id: str) -> UpstreamRequest:
        draft = Draft(request, target, request_id)
        body = wire_body(draft)
        headers = self._sent(credential, request_id, accept="application/x-ndjson")
        url = f"{self.base_url}/api/chat"
        return UpstreamRequest(url, headers, dumps(body), dropped=draft.dropped, sent=body, form="ollama")

    def decode(self, events: Iterable[Event], request: ChatRequest) -> Iterator[ChatChunk]:
        """The chunks of one answer, whose events each hold one line or several."""
        answer = Answer()
        for event in until_ended(events, answer.is_ended):
            if event is SILENCE:
                yield KeepAlive()
                continue
            yield from answer.read(event)
            if answer.done:
                break
        yield answer.finish()

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
        wait = faults.retry_after(headers, self._clock.now())
        try:
            told = ollama_error(loads(body), status, wait)
        except ValueError:
            told = None
        return told or status_error(status, f"the provider answered HTTP {status} without saying why", wait)

    def second_try(self, request: ChatRequest, error: GatewayError) -> ChatRequest | None:
        """A model that cannot think refuses to be told to, and which ones can is not known beforehand."""
        name = refusal(THINKING, request)
        refuses = isinstance(error, InvalidRequest) and error.param == THINKING
        return replace(request, omit=request.omit | {name}) if refuses and name not in request.omit else None

    def embed(
        self, request: EmbeddingRequest, target: Target, credential: Credential, request_id: str
    ) -> UpstreamRequest | None:
        if any(not isinstance(value, str) for value in request.inputs):
            raise InvalidRequest("Ollama takes text, no token numbers", param="input", code="invalid_value")
        size = {} if request.dimensions is None else {"dimensions": request.dimensions}
        body = dumps({"model": target.model, "input": request.inputs, **size})
        return UpstreamRequest(f"{self.base_url}/api/embed", self._sent(credential, request_id), body)

    def read_embeddings(self, body: bytes) -> Embeddings:
        try:
            answer = loads(body)
            vectors = tuple(tuple(float(number) for number in row) for row in answer["embeddings"])
            return Embeddings(vectors, told(answer.get("prompt_eval_count")))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as cause:
            raise UpstreamBroken("the provider sent something that is no list of embeddings") from cause

    def probe(self, credential: Credential) -> UpstreamRequest | None:
        headers = {"Accept": "application/json", **self.signed(credential)}
        return UpstreamRequest(f"{self.base_url}/api/tags", headers, method="GET")

    def _sent(self, credential: Credential, request_id: str, accept: str = "application/json") -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Accept": accept,
            "X-Request-ID": request_id,
            **self.signed(credential),
        }
