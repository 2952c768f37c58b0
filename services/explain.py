"""ExplainService: where a request would go now, and why nowhere else; asks no provider anything."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from core.counting import estimate_request
from schemas.caller import Caller
from schemas.chat import ChatRequest
from schemas.limit import Capacity
from schemas.model import Target
from schemas.route import Candidate, Loser, Plan
from services.circuits import Circuits, key_of
from services.decisions import losers_told, rules_told
from services.sessions import session_of


class Keys(Protocol):
    """The credentials of one provider instance, by number."""

    def __len__(self) -> int: ...

    def usable_count(self) -> int: ...

    def capacity(self, model: str = "") -> Capacity: ...


class ExplainService:
    """Plans as a chat would, and looks at the circuits and the credentials as they are."""

    def __init__(
        self, plan: Callable[[ChatRequest, Caller | None], Plan], circuits: Circuits, keys: Mapping[str, Keys]
    ) -> None:
        """`plan` says where a request goes, `keys` has no entry for an instance that takes its callers' own."""
        self._plan = plan
        self._circuits = circuits
        self._keys = keys

    def explain(self, request: ChatRequest, tenant: str, caller: Caller | None) -> dict[str, Any]:
        """The targets that would be tried in their order, and why each other one lost.

        Raises ModelNotFound as the request itself would.
        """
        self._circuits.sync()
        request = replace(request, session=session_of(request, tenant))
        plan = self._plan(request, caller)
        tried, losers = self._tried(plan)
        return {
            "object": "route.explanation",
            "model": request.model,
            "session": request.session,
            **rules_told(plan),
            "prompt_tokens": estimate_request(request),
            "targets": [self._told(candidate, order) for order, candidate in enumerate(tried, start=1)],
            "if_too_long": [self._told(candidate, order) for order, candidate in enumerate(plan.longer, start=1)],
            "lost": losers_told([*plan.losers, *losers]),
        }

    def _tried(self, plan: Plan) -> tuple[list[Candidate], list[Loser]]:
        sole = len(plan.candidates) == 1
        hindrances = [self._hindrance(candidate.target, sole=sole) for candidate in plan.candidates]
        pairs = list(zip(plan.candidates, hindrances, strict=True))
        losers = [Loser(one.target.provider, one.target.model, reason) for one, reason in pairs if reason is not None]
        return [one for one, reason in pairs if reason is None], losers

    def _hindrance(self, target: Target, *, sole: bool) -> str | None:
        keys = self._keys.get(target.provider)
        if keys is not None and not keys.usable_count():
            return f"none of its {len(keys)} credentials can be used now"
        if keys is not None and not keys.capacity(target.model).keys_available:
            return f"none of its {len(keys)} credentials can be used for this model now"
        wait = self._circuits.wait(target)
        return f"its circuit is open for {wait:.1f} s more" if wait and not sole else None

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
