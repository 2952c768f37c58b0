"""Telemetry: what is counted, as the rest of the gateway sees it."""

from collections.abc import Iterable, Mapping

from core.metrics import Metrics
from core.prompt_cache.finding import Finding
from schemas.outcome import Outcome


class Telemetry:
    """Turns events into metrics, under labels from known sets only."""

    def __init__(self, metrics: Metrics, models: Iterable[str] = ()) -> None:
        """`models` are the names that may stand in a label; any other, which a caller may have made up, is `other`."""
        self._metrics = metrics
        self._models = frozenset(models)

    def know(self, models: Iterable[str]) -> None:
        """These may stand in a label as well."""
        self._models |= frozenset(models)

    def fold(self) -> None:
        """Give up what workers that are gone have left; what they have counted stays."""
        self._metrics.fold()

    def answered(self, endpoint: str, method: str, status: str, seconds: float) -> None:
        """A request is over."""
        m = self._metrics
        m.child(m.requests, endpoint, method, status).inc()
        m.child(m.duration, endpoint).observe(seconds)

    def stream_began(self) -> None:
        """A streamed answer is under way."""
        self._metrics.streams.inc()

    def stream_ended(self) -> None:
        """A streamed answer is over."""
        self._metrics.streams.dec()

    def rate_limited(self, scope: str) -> None:
        """A client was refused by a limit of that scope: key, ip, model, provider, streams or budget."""
        self._metrics.child(self._metrics.rate_limited, scope).inc()

    def budgets(self, used: Mapping[tuple[str, str], float]) -> None:
        """The share that is used up of the fullest budget of each scope and window."""
        for labels, share in used.items():
            self._metrics.child(self._metrics.budget_used, *labels).set(share)

    def token_failed(self, token_id: str, error_type: str) -> None:
        """A credential led to an error."""
        self._metrics.child(self._metrics.token_errors, token_id, error_type).inc()

    def queue_changed(self, provider: str, waiting: int) -> None:
        """So many requests wait for a slot of one of the provider's keys."""
        self._metrics.child(self._metrics.queue_waiting, provider).set(waiting)

    def queue_served(self, provider: str, seconds: float) -> None:
        """A request has waited so long and has its slot."""
        self._metrics.child(self._metrics.queue_wait, provider).observe(seconds)

    def chat_finished(self, outcome: Outcome, overhead: float) -> None:
        """A chat request is over, whatever became of it."""
        m = self._metrics
        for attempt in outcome.attempts:
            m.child(m.upstream, attempt.provider, self._model(attempt.model), attempt.error or "success").inc()
        for name in outcome.dropped:
            what = "anthropic-beta" if name.startswith("anthropic-beta") else "field"
            m.child(m.dropped, outcome.provider or "other", what).inc()
        if outcome.cache is not None:
            m.child(m.response_cache, outcome.cache).inc()
        for what in outcome.repairs:
            m.child(m.repairs, what).inc()
        if outcome.turn is not None:
            m.child(m.conversation_turns, outcome.turn).inc()
        if outcome.time_to_first_token is not None:
            m.first_token.observe(outcome.time_to_first_token)
            m.overhead.observe(overhead)
        if outcome.usage is not None:
            self._spent(outcome)

    def failover_began(self, model: str, *, counted: bool = True) -> None:
        """A model is served by another now; `counted` on the worker that decided it."""
        m = self._metrics
        m.child(m.failover_active, self._model(model)).set(1)
        if counted:
            m.child(m.failover_activations, self._model(model)).inc()

    def failover_ended(self, model: str) -> None:
        """A model is served by itself again."""
        self._metrics.child(self._metrics.failover_active, self._model(model)).set(0)

    def cache_judged(self, provider: str, model: str, finding: Finding) -> None:
        """What became of a prompt at a cache. What nobody pays stands apart, as it does among the costs."""
        m, name = self._metrics, self._model(model)
        m.child(m.cache_findings, provider, name, finding.cause).inc()
        by_cause = {"loss": m.cache_loss, "missed": m.cache_missed}
        plain = {"saving": m.cache_saving, "fee": m.cache_fee, "waste": m.cache_waste}
        for kind, usd in finding.dollars.items():
            if finding.notional:
                m.child(m.cache_notional, provider, name, kind).inc(usd)
            elif kind in by_cause:
                m.child(by_cause[kind], provider, name, finding.cause).inc(usd)
            else:
                m.child(plain[kind], provider, name).inc(usd)

    def gauges(self, active_tokens: int, degraded: bool, memory: float) -> None:
        """What is read rather than counted; `memory` is the share in use."""
        self._metrics.memory.set(memory)
        self._metrics.active_tokens.set(active_tokens)
        self._metrics.degraded.set(int(degraded))

    def store_filled(self, share: float) -> None:
        """So much of the shared store's memory is taken."""
        self._metrics.store_filled.set(share)

    def bodies(self, held: int, waiting: int) -> None:
        """So many bytes are held for the bodies of requests, and so many bodies wait for room."""
        self._metrics.body_bytes.set(held)
        self._metrics.bodies_waiting.set(waiting)

    def body_refused(self) -> None:
        """A request was refused for want of room for its body."""
        self._metrics.bodies_refused.inc()

    def configuration_read(self, *, ok: bool, loaded_at: float) -> None:
        """The configuration was read; what is in effect is so since `loaded_at` (seconds since the epoch)."""
        self._metrics.configured.set(int(ok))
        self._metrics.configured_at.set(loaded_at)

    def circuits(self, worst: Mapping[str, int]) -> None:
        """The worst circuit of each provider: 0 closed, 1 half-open, 2 open."""
        for provider, state in worst.items():
            self._metrics.child(self._metrics.circuit, provider).set(state)

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return self._metrics.render()

    def _model(self, name: str) -> str:
        return name if name in self._models else "other"

    def _spent(self, outcome: Outcome) -> None:
        m, usage = self._metrics, outcome.usage
        if usage is None or outcome.provider is None or outcome.upstream_model is None:
            return
        labels = (outcome.provider, self._model(outcome.upstream_model))
        kinds = {
            "input": usage.uncached,
            "cached": usage.read,
            "cache_write": (usage.write_short or 0) + (usage.write_long or 0),
            "output": usage.output,
            "reasoning": usage.reasoning,
        }
        for kind, tokens in kinds.items():
            if tokens:
                m.child(m.tokens, *labels, kind).inc(tokens)
        if outcome.notional:
            return
        if outcome.cost is None:
            m.child(m.unpriced, *labels).inc()
        else:
            m.child(m.cost, *labels).inc(outcome.cost)
            m.token_cost.observe(outcome.cost)
