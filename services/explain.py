"""ExplainService: where a request would go now, and why nowhere else; asks no provider anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.errors import BudgetExceeded, GatewayError
from core.estimating import estimate_request
from schemas.chat import ChatRequest
from schemas.model import Target
from schemas.origin import Origin
from schemas.route import Candidate, Loser
from services.circuits import Circuits, key_of
from services.decisions import losers_told, rules_told
from services.foresight import Foresight
from services.placement import Place
from services.preparation import Preparation


class Keys(Protocol):
    """The credentials of one provider instance, by number, and why none of them can be had."""

    def __len__(self) -> int: ...

    def sync(self) -> None: ...

    def usable_count(self) -> int: ...

    def hindrance(self, model: str = "", tokens: int = 0) -> GatewayError | None: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A request as providers would be asked, in which order, and why its caller may not send it."""

    request: ChatRequest
    place: Place
    refused: GatewayError | None


class ExplainService:
    """Prepares as a chat does, and looks at limits, circuits and credentials as they are; holds and spends nothing."""

    def __init__(
        self, preparation: Preparation, foresight: Foresight, circuits: Circuits, keys: Mapping[str, Keys]
    ) -> None:
        """`keys` has no entry for an instance that takes its callers' own."""
        self._preparation = preparation
        self._foresight = foresight
        self._circuits = circuits
        self._keys = keys

    def explain(self, request: ChatRequest, origin: Origin) -> dict[str, Any]:
        """The targets that would be tried in their order, and why each other one lost.

        None would be where the caller's own limits refuse the request. Raises ModelNotFound and InvalidRequest as the
        request itself would.
        """
        self._circuits.sync()
        for keys in self._keys.values():
            keys.sync()
        first = self._preparation.landed(request, origin)
        seen, cheaper = self._seen(first, origin, request.model), self._preparation.instead(request, first)
        if cheaper is not None and self._lands(seen):
            seen = self._seen(cheaper, origin, request.model)
        return self._explanation(seen, request.model)

    def _lands(self, seen: _Seen) -> bool:
        """True when a budget refuses the request, or each of its targets."""
        if seen.refused is not None:
            return isinstance(seen.refused, BudgetExceeded)
        refusals = [self._foresight.of_target(seen.request, target) for target in seen.place.plan.targets]
        return all(isinstance(refused, BudgetExceeded) for refused in refusals)

    def _seen(self, request: ChatRequest, origin: Origin, asked: str) -> _Seen:
        request, place = self._preparation.place(self._preparation.plan(request, origin, asked))
        longer = [candidate.target for candidate in place.plan.longer]
        return _Seen(request, place, self._foresight.of_caller(request, origin, (*place.plan.targets, *longer)))

    def _explanation(self, seen: _Seen, asked: str) -> dict[str, Any]:
        request, plan, refused = seen.request, seen.place.plan, seen.refused
        tried, losers = self._tried(seen.place, request, refused)
        return {
            "object": "route.explanation",
            "model": asked,
            "landed_on": request.model if request.model != asked else None,
            "session": request.session,
            **rules_told(plan),
            "prompt_tokens": estimate_request(request),
            "refused": None if refused is None else _refusal(refused),
            "targets": [self._told(candidate, order) for order, candidate in enumerate(tried, start=1)],
            "if_too_long": [self._told(candidate, order) for order, candidate in enumerate(plan.longer, start=1)],
            "lost": losers_told([*plan.losers, *losers]),
        }

    def _tried(
        self, place: Place, request: ChatRequest, refused: GatewayError | None
    ) -> tuple[list[Candidate], list[Loser]]:
        candidates, sole = place.plan.candidates, len(place.plan.candidates) == 1
        if refused is not None:
            return [], [_loser(candidate, refused.message) for candidate in candidates]
        hindrances = [self._hindrance(candidate.target, request, sole=sole) for candidate in candidates]
        pairs = list(zip(candidates, hindrances, strict=True))
        losers = [_loser(candidate, reason) for candidate, reason in pairs if reason is not None]
        return [candidate for candidate, reason in pairs if reason is None], losers

    def _hindrance(self, target: Target, request: ChatRequest, *, sole: bool) -> str | None:
        """Why the target would be passed over: what a dispatch looks at, in its order."""
        if (full := self._foresight.of_target(request, target)) is not None:
            return full.message
        wait = self._circuits.wait(target)
        if wait and not sole:
            return f"its circuit is open for {wait:.1f} s more"
        keys = self._keys.get(target.provider)
        lacking = None if keys is None else keys.hindrance(target.model, estimate_request(request))
        return None if lacking is None else lacking.message

    def _told(self, candidate: Candidate, order: int) -> dict[str, Any]:
        target, keys = candidate.target, self._keys.get(candidate.target.provider)
        return {
            "order": order,
            "provider": target.provider,
            "model": target.model,
            "why": candidate.why,
            "context": target.info.context or None,
            "circuit": self._circuits.state(key_of(target)),
            "provider_circuit": self._circuits.state(target.provider),
            "credentials": None if keys is None else {"total": len(keys), "usable": keys.usable_count()},
        }


def _loser(candidate: Candidate, reason: str) -> Loser:
    return Loser(candidate.target.provider, candidate.target.model, reason)


def _refusal(error: GatewayError) -> dict[str, Any]:
    return {
        "status": error.status,
        "code": error.code,
        "message": error.message,
        "retry_after": error.retry_after,
        "details": error.details,
    }
