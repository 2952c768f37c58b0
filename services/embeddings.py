"""EmbeddingService: texts to vectors, by whichever provider has the model."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from core.clock import Clock
from core.errors import ClientGone, GatewayError, ModelNotFound, UpstreamBroken
from core.providers.base import Provider, UpstreamRequest
from schemas.credential import Credential
from schemas.embedding import EmbeddingRequest, Embeddings
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.usage import Usage
from services.access import permit, permit_named
from services.asking import Question
from services.hold import Hold
from services.once import Once
from services.routing import RoutingService
from services.spending import Spending
from services.telemetry import Telemetry
from services.usage_ledger import UsageLedger

PATIENCE = 120.0
BYTES_PER_TOKEN = 4


class Watch(Protocol):
    """Looks whether the client is still there."""

    def stop(self) -> None:
        """Look no longer."""


Watching = Callable[[Callable[[], None]], Watch]
"""Begins to look; what it is given is called once the client has gone."""


class EmbeddingService:
    """One call of a provider a request."""

    def __init__(
        self,
        routing: RoutingService,
        once: Once,
        spending: Spending,
        ledger: UsageLedger,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._telemetry = telemetry
        self._spending = spending
        self._ledger = ledger
        self._routing = routing
        self._once = once
        self._clock = clock

    def embed(self, request: EmbeddingRequest, origin: Origin, outcome: Outcome, watching: Watching) -> Embeddings:
        """The vectors; `outcome` is filled in on the way. Raises GatewayError, as ClientGone what `watching` tells."""
        permit(origin.caller, *self._routing.names(request.model))
        targets = self._routing.targets(request.model)
        permit_named(origin.caller, request.native, targets, self._routing)
        tokens = _tokens(request)
        hold = self._spending.open_texts(tokens, request.native, origin, targets)
        outcome.caller, outcome.allowance = origin.caller_id, hold.allowance
        question = Question(origin, outcome, PATIENCE, "embeddings", hold, tokens)
        watch = watching(lambda: question.cancel.cancel(ClientGone("The client has closed the connection.")))
        try:
            embeddings = self._ask(request, question, targets)
        except GatewayError as error:
            outcome.error = error.code or error.type
            if outcome.unheard:
                self._keep(question, targets, request.native)
            raise
        else:
            outcome.finish_reason = "stop"
            self._charge(hold, outcome, embeddings, targets, request.native)
            return embeddings
        finally:
            watch.stop()
            hold.refund()
            outcome.seconds = self._clock.monotonic() - origin.started
            self._telemetry.chat_finished(outcome, max(0.0, outcome.seconds - outcome.upstream_seconds))
            self._ledger.note(outcome)

    def _ask(self, request: EmbeddingRequest, question: Question, targets: Sequence[Target]) -> Embeddings:
        return self._once.ask(question, targets, partial(_build, request), partial(_read, request))

    def _charge(
        self, hold: Hold, outcome: Outcome, made: Embeddings, targets: Sequence[Target], body: Mapping[str, Any]
    ) -> None:
        """Settle what was used; what the provider does not tell stays as it was reserved."""
        answered = _asked(outcome, targets)
        usage = None if made.prompt_tokens is None else Usage(uncached=made.prompt_tokens, output=0)
        self._spending.note(outcome, answered, usage, body, made.model)
        hold.settle(answered.provider, usage, outcome.paid)

    def _keep(self, question: Question, targets: Sequence[Target], body: Mapping[str, Any]) -> None:
        """Settle what a provider makes and nobody waits for: as much as was reserved for it."""
        outcome, asked = question.outcome, _asked(question.outcome, targets)
        usage = Usage(uncached=question.tokens, output=0, source="estimated")
        self._spending.note(outcome, asked, usage, body)
        question.hold.keep(asked.provider, outcome.paid)


def _asked(outcome: Outcome, targets: Sequence[Target]) -> Target:
    """The target that was asked last."""
    asked = (outcome.provider, outcome.upstream_model)
    return next(target for target in targets if (target.provider, target.model) == asked)


def _tokens(request: EmbeddingRequest) -> int:
    """About as many as the texts have."""
    return sum(len(one.encode()) // BYTES_PER_TOKEN + 1 if isinstance(one, str) else len(one) for one in request.inputs)


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
