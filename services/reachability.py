"""Reachability: what traffic and the prober have shown of each provider lately."""

from dataclasses import dataclass

from core.clock import Clock
from core.errors import ClientGone, InternalError
from schemas.chat import ChatRequest
from schemas.outcome import Outcome
from services.interceptors import Interceptor

PROVIDERS_FAULT = frozenset({"upstream_unreachable", "upstream_timeout", "upstream_broken", "upstream_server_error"})
NO_EVIDENCE = frozenset({ClientGone.code, InternalError.code})
"""Ends of an attempt that say nothing of its provider: the client left, or the fault was ours."""


@dataclass(slots=True)
class Evidence:
    """Times (seconds since the epoch) of the newest success and the newest failure, and what that failure was."""

    succeeded: float | None = None
    failed: float | None = None
    error: str | None = None

    @property
    def reachable(self) -> bool | None:
        """True, False, or None while nothing is known."""
        if self.failed is None:
            return None if self.succeeded is None else True
        return self.succeeded is not None and self.succeeded >= self.failed


class Reachability(Interceptor):
    """Learns from every attempt; never makes a call of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._evidence: dict[str, Evidence] = {}

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """Note what each attempt says of its provider."""
        for attempt in outcome.attempts:
            self.note(attempt.provider, attempt.error)

    def note(self, provider: str, error: str | None) -> None:
        """An answer of any kind means that the provider was reached; `error` is the code of a failure."""
        if error in NO_EVIDENCE:
            return
        evidence = self._evidence.setdefault(provider, Evidence())
        if error in PROVIDERS_FAULT:
            evidence.failed, evidence.error = self._clock.now(), error
        else:
            evidence.succeeded = self._clock.now()

    def of(self, provider: str) -> Evidence:
        """What is known of a provider."""
        return self._evidence.get(provider, Evidence())
