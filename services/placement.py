"""Placement: which of the targets a request may have is asked first, and with which key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.caller import Caller
from schemas.chat import ChatRequest
from schemas.model import Target
from schemas.route import Candidate, Loser, Plan
from services.affinity import Affinity, Binding
from services.failover import FailoverService
from services.routing import RoutingService
from services.sessions import is_followed

STAYS = "the conversation was answered last by it"


@dataclass(frozen=True, slots=True)
class Place:
    """The plan with its candidates in order, and the id of the key to take at the first, if there is one."""

    plan: Plan
    prefer: str | None = None


class Placement:
    """Routing, then failover, then affinity: each changes the order of what the one before it allows."""

    def __init__(self, routing: RoutingService, failover: FailoverService, affinity: Affinity) -> None:
        self._routing = routing
        self._failover = failover
        self._affinity = affinity

    def plan(self, request: ChatRequest, caller: Caller | None = None) -> Plan:
        """Where a request may go, a failover that runs included. Raises ModelNotFound."""
        return self._diverted(self._routing.plan(request, caller), request)

    def whole(self, request: ChatRequest, caller: Caller | None = None) -> Plan:
        """Where a request goes, by itself: with the order in which its conversation has it. Raises ModelNotFound."""
        session = _followed(request)
        binding = None if session is None else self._affinity.find(session)
        return _placed(self.plan(request, caller), binding).plan

    def names(self, request: ChatRequest) -> Mapping[str, float]:
        """What has to be found to know where the request's conversation belongs."""
        session = _followed(request)
        return {} if session is None else self._affinity.names(session)

    def place(self, plan: Plan, request: ChatRequest, found: Mapping[str, str]) -> Place:
        """The plan with the target first where the conversation's prompt is cached, if the plan has it."""
        session = _followed(request)
        binding = None if session is None else self._affinity.of(session, found)
        return _placed(plan, binding)

    def _diverted(self, plan: Plan, request: ChatRequest) -> Plan:
        model = self._routing.canonical(request.model)
        stand_in = self._failover.stand_in(model) if self._failover.is_active(model) else None
        if stand_in is None or self._routing.names_instance(request.model):
            return plan
        targets = self._routing.served(stand_in)
        if not targets:
            return plan
        return replace(
            plan,
            candidates=tuple(Candidate(target, f"stands in for {model} while its cache is lost") for target in targets),
            longer=(),
            losers=(*plan.losers, *_lost(plan.candidates)),
        )


def _followed(request: ChatRequest) -> str | None:
    """The session of a request that goes where its conversation is."""
    return request.session if request.session is not None and is_followed(request) else None


def _placed(plan: Plan, binding: Binding | None) -> Place:
    bound = [one for one in plan.candidates if binding is not None and _is_there(one.target, binding)]
    if binding is None or not bound:
        return Place(plan)
    others = [candidate for candidate in plan.candidates if candidate not in bound]
    first = [replace(candidate, why=f"{candidate.why}; {STAYS}") for candidate in bound]
    return Place(replace(plan, candidates=(*first, *others)), binding.credential)


def _lost(candidates: Sequence[Candidate]) -> list[Loser]:
    reason = "a failover to another model is active"
    return [Loser(one.target.provider, one.target.model, reason) for one in candidates]


def _is_there(target: Target, binding: Binding) -> bool:
    return (target.provider, target.model) == (binding.provider, binding.model)
