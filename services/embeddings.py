"""EmbeddingService: texts to vectors, by whichever provider has the model."""

from datetime import UTC, datetime
from functools import partial

from core.clock import Clock
from core.errors import GatewayError, ModelNotFound, UpstreamBroken
from core.pricing import cost_of
from core.providers.base import Provider, UpstreamRequest
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services.once import Once, Question
from services.routing import RoutingService
from services.telemetry import Telemetry

PATIENCE = 120.0


class EmbeddingService:
    """One call of a provider a request."""

    def __init__(self, routing: RoutingService, once: Once, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._routing = routing
        self._once = once
        self._clock = clock

    def embed(self, request: EmbeddingRequest, origin: Origin, outcome: Outcome) -> Embeddings:
        """The vectors; `outcome` is filled in on the way. Raises GatewayError."""
        targets = self._routing.targets(request.model)
        build, read = partial(_build, request), partial(_read, request)
        try:
            embeddings = self._once.ask(Question(origin, outcome, PATIENCE), targets, build, read)
        except GatewayError as error:
            outcome.error = error.code or error.type
            raise
        else:
            outcome.finish_reason = "stop"
            self._note_cost(outcome, embeddings.prompt_tokens, targets)
            return embeddings
        finally:
            outcome.seconds = self._clock.monotonic() - origin.started
            self._telemetry.chat_finished(outcome, max(0.0, outcome.seconds - outcome.upstream_seconds))

    def _note_cost(self, outcome: Outcome, tokens: int | None, targets: tuple[Target, ...]) -> None:
        if tokens is None:
            return
        outcome.usage = Usage(uncached=tokens, output=0)
        answered = next(target for target in targets if target.provider == outcome.provider)
        today = datetime.fromtimestamp(self._clock.now(), UTC).date()
        outcome.cost = cost_of(outcome.usage, answered.info.price_on(today, tokens))


def _build(
    request: EmbeddingRequest, provider: Provider, target: Target, credential: Credential, request_id: str
) -> UpstreamRequest:
    upstream = provider.embed(request, target, credential, request_id)
    if upstream is None:
        raise ModelNotFound(f"{request.model[:100]!r} has no embeddings here.", param="model")
    return upstream


def _read(request: EmbeddingRequest, provider: Provider, body: bytes) -> Embeddings:
    embeddings = provider.read_embeddings(body)
    if len(embeddings.vectors) != len(request.inputs):
        raise UpstreamBroken("the provider sent another number of vectors than it was asked for")
    return embeddings
