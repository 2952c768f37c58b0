"""CountingService: how many tokens a prompt has."""

from functools import partial

from core.clock import Clock
from core.counting import TokenCounter
from core.errors import GatewayError, InvalidRequest, ModelNotFound, NotFound, UpstreamRateLimited
from core.providers.base import Provider, UpstreamRequest
from schemas.chat import ChatRequest
from schemas.credential import Credential
from schemas.model import Target
from schemas.origin import Origin
from schemas.outcome import Outcome
from services.access import permit
from services.asking import Question
from services.once import Once
from services.routing import RoutingService

PATIENCE = 10.0
"""Seconds to wait for a provider's own count, which is worth less than a prompt answer."""

REST = 5.0
"""Seconds in which a provider that has had enough of counts, and does not say for how long, is asked for none."""


class CountingService:
    """Asks the provider that would answer, if it counts at all, and counts offline otherwise."""

    def __init__(
        self, routing: RoutingService, once: Once, asks: frozenset[str], counter: TokenCounter, clock: Clock
    ) -> None:
        """`asks` names the provider instances that can be asked."""
        self._clock = clock
        self._rests: dict[str, float] = {}
        self._routing = routing
        self._once = once
        self._asks = asks
        self._counter = counter

    def count(self, request: ChatRequest, origin: Origin) -> int:
        """The tokens of the prompt, an estimate when no provider could say.

        Raises ModelNotFound, and InvalidRequest when the provider finds the request wrong.
        """
        permit(origin.caller, *self._routing.names(request.model))
        targets = self._routing.targets(request.model)
        if self._may_ask(targets[0].provider):
            outcome = Outcome(model=request.model, stream=False)
            try:
                question = Question(origin, outcome, PATIENCE, "count_tokens", light=True)
                return self._once.ask(question, targets[:1], partial(_build, request), _read)
            except (ModelNotFound, NotFound):
                pass  # some hosts count nothing, or not for every model
            except InvalidRequest:
                raise
            except UpstreamRateLimited as limited:
                self._rests[targets[0].provider] = self._clock.monotonic() + (limited.retry_after or REST)
            except GatewayError:
                pass  # a count is not worth failing for
        return self._counter.count_request(request)

    def _may_ask(self, provider: str) -> bool:
        return provider in self._asks and self._rests.get(provider, 0.0) <= self._clock.monotonic()


def _build(
    request: ChatRequest, provider: Provider, target: Target, credential: Credential, request_id: str
) -> UpstreamRequest:
    upstream = provider.count(request, target, credential, request_id)
    if upstream is None:
        raise ModelNotFound("The provider counts no tokens.")
    return upstream


def _read(provider: Provider, body: bytes) -> int:
    return provider.read_count(body)
