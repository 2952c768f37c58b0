"""Decisions: which targets were tried for each of the last requests, and why the others were not."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from core.clock import Clock
from core.errors import NotFound, StoreUnavailable
from core.store.base import Counters
from schemas.chat import ChatRequest
from schemas.codec import dumps, loads
from schemas.outcome import Outcome
from schemas.route import Candidate, Loser, Plan
from services.interceptors import Interceptor

KEPT = 1000
"""How many requests this process remembers."""
KEPT_SECONDS = 3600.0
SHARED_AT_ONCE = 200
"""How many of them the other workers are told of a second."""


class DecisionLog(Interceptor):
    """Remembers the newest requests of this worker, and asks the shared home for those of others."""

    def __init__(self, counters: Counters | None, clock: Clock) -> None:
        """`counters` are None for a gateway of one worker, which has all there is itself."""
        self._counters = counters
        self._clock = clock
        self._outcomes: OrderedDict[str, tuple[Outcome, float]] = OrderedDict()
        self._news: list[str] = []

    def finished(self, request: ChatRequest, outcome: Outcome, request_id: str) -> None:
        """Remember what became of the request."""
        if outcome.plan is None:
            return
        self._outcomes[request_id] = (outcome, self._clock.now())
        self._outcomes.move_to_end(request_id)
        if len(self._outcomes) > KEPT:
            self._outcomes.popitem(last=False)
        if self._counters is not None:
            self._news.append(request_id)

    def share(self) -> None:
        """Let the other workers know; what cannot be told is forgotten."""
        news, self._news = self._news[-SHARED_AT_ONCE:], []
        if self._counters is None or not news:
            return
        texts = {_name(one): dumps(self._told(one)).decode() for one in news if one in self._outcomes}
        try:
            self._counters.keep(texts, KEPT_SECONDS, self._clock.now())
        except StoreUnavailable:
            return

    def of(self, request_id: str) -> dict[str, Any]:
        """What was decided for a request. Raises NotFound."""
        known = self._outcomes.get(request_id)
        if known is not None and known[1] > self._clock.now() - KEPT_SECONDS:
            return self._told(request_id)
        shared = self._shared(request_id)
        if shared is None:
            raise NotFound(f"Nothing is remembered of the request {request_id[:100]!r}.", param="request_id")
        return shared

    def _told(self, request_id: str) -> dict[str, Any]:
        outcome, at = self._outcomes[request_id]
        return {"object": "route.decision", "request_id": request_id, "at": _moment(at), **decided(outcome)}

    def _shared(self, request_id: str) -> dict[str, Any] | None:
        if self._counters is None:
            return None
        try:
            text = self._counters.kept([_name(request_id)], self._clock.now()).get(_name(request_id))
        except StoreUnavailable:
            return None
        return loads(text) if text is not None else None


def decided(outcome: Outcome) -> dict[str, Any]:
    """What was planned for a request, and what came of each target."""
    plan = outcome.plan or Plan(())
    # A model whose stand-in goes first is both behind that and there for prompts that are too long for it.
    candidates = dict[tuple[str, str], Candidate]()
    for one in (*plan.candidates, *plan.longer):
        candidates.setdefault((one.target.provider, one.target.model), one)
    return {
        "model": outcome.model,
        **rules_told(plan),
        "targets": [
            {
                "provider": one.target.provider,
                "model": one.target.model,
                "why": one.why,
                "result": _result(outcome, one.target.provider, one.target.model),
            }
            for one in candidates.values()
        ],
        "lost": losers_told(plan.losers),
        "attempts": [
            {"provider": one.provider, "model": one.model, "error": one.error, "seconds": round(one.seconds, 3)}
            for one in outcome.attempts
        ],
        "error": outcome.error,
    }


def rules_told(plan: Plan) -> dict[str, Any]:
    """The rule that decided, and what each of those ahead of it says."""
    verdicts = [{"rule": one.rule, "matches": one.reason is None, "reason": one.reason} for one in plan.verdicts]
    return {"rule": plan.rule, "rules": verdicts, "strict": plan.strict, "prompt_tokens": plan.prompt_tokens}


def losers_told(losers: Iterable[Loser]) -> list[dict[str, Any]]:
    """What is not tried, and why."""
    return [{"provider": one.provider, "model": one.model, "reason": one.reason} for one in losers]


def _result(outcome: Outcome, provider: str, model: str) -> str:
    tries = [one for one in outcome.attempts if (one.provider, one.model) == (provider, model)]
    if tries:
        return f"failed: {tries[-1].error}" if tries[-1].error else "answered"
    skipped = [one for one in outcome.passed_over if (one.provider, one.model) == (provider, model)]
    if skipped:
        return f"passed over: {skipped[-1].reason}"
    answered = any(one.error is None for one in outcome.attempts)
    return "not needed" if answered else "not reached"


def _name(request_id: str) -> str:
    return f"decision:{request_id}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
