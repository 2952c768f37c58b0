"""Placement: which of the targets a request may have is asked first, and with which key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.credentials.choosing import AT_HOME, Homeward
from core.estimating import estimate_request
from schemas.caller import Caller
from schemas.chat import ChatRequest, DocumentPart, HostedTool, ImagePart
from schemas.model import Ability, Target
from schemas.route import Candidate, Plan
from services.access import permit, permit_named
from services.affinity import Affinity, Binding
from services.failover import FailoverService
from services.routing import RoutingService
from services.sessions import is_followed

STAYS = "the conversation was answered last by it"


@dataclass(frozen=True, slots=True)
class Place:
    """The plan with its candidates in order, and the id of the key to take at the first, if there is one.

    `homeward` says what may be taken ahead of that key, `bound` is where the conversation was answered last, and `home`
    the name under which to remember where it is answered now.
    """

    plan: Plan
    prefer: str | None = None
    homeward: Homeward = AT_HOME
    bound: Binding | None = None
    home: str | None = None


class Placement:
    """Routing, then failover, then affinity: each changes the order of what the one before it allows."""

    def __init__(
        self, routing: RoutingService, failover: FailoverService, affinity: Affinity, callers_own: frozenset[str]
    ) -> None:
        """`callers_own` are the instances whose callers bring their keys, and are not made to use the gateway's."""
        self._routing = routing
        self._failover = failover
        self._affinity = affinity
        self._callers_own = callers_own

    def plan(self, request: ChatRequest, caller: Caller | None = None, asked: str | None = None) -> Plan:
        """Where a request may go, a failover that runs included. Raises ModelNotFound and ModelNotAllowed.

        `asked` is the model that the client wrote, where that is another than the request's.
        """
        permit(caller, *self._routing.names(asked or request.model))
        plan = self._diverted(self._routing.plan(request, caller), request)
        targets = (*plan.targets, *(candidate.target for candidate in plan.longer))
        permit_named(caller, request.native.body, targets, self._routing)
        return plan

    def names(self, plan: Plan, request: ChatRequest) -> Mapping[str, float]:
        """What has to be found to know where the request's conversation belongs."""
        if not is_followed(request):
            return {}
        # Where it was answered last may be a model that is moved, though the first of the plan is not.
        moved = () if plan.stand_in else [self._stand_in(one.target) for one in plan.candidates]
        stand_ins = dict.fromkeys((plan.stand_in, *(one for one in moved if one is not None)))
        homes = [self._home(stand_in, request) for stand_in in stand_ins]
        return {name: age for home in homes if home for name, age in self._affinity.names(home).items()}

    def place(self, plan: Plan, request: ChatRequest, found: Mapping[str, str]) -> Place:
        """The plan with the target first where the conversation's prompt is cached, if the plan has it.

        A model that is moved is passed by there as well; the conversation is at home with it again once that is over.
        """
        place = self._placed(plan, request, found)
        if plan.stand_in is None and place.prefer is not None:
            diverted = self._diverted(place.plan, request)
            if diverted.stand_in is not None:
                place = self._placed(diverted, request, found)
        if place.bound is None or place.prefer is None:
            return place
        return replace(place, homeward=self._affinity.homeward(place.bound))

    def _placed(self, plan: Plan, request: ChatRequest, found: Mapping[str, str]) -> Place:
        home = self._home(plan.stand_in, request)
        binding = self._affinity.of(home, found) if home is not None and is_followed(request) else None
        return replace(_placed(plan, binding), bound=binding, home=home)

    def _home(self, stand_in: str | None, request: ChatRequest) -> str | None:
        """One for each model of a session, as each has a cache of its own, and one for a model's stand-in."""
        if request.session is None:
            return None
        return f"{request.session}:{stand_in or self._routing.canonical(request.model)}"

    def _stand_in(self, target: Target) -> str | None:
        """Who answers in the place of the target's model now; None when it does by itself."""
        model = self._routing.canonical(target.info.id)
        return self._failover.stand_in(model) if self._failover.is_active(model) else None

    def _diverted(self, plan: Plan, request: ChatRequest) -> Plan:
        """The same plan behind the stand-in, which may fail, or find the prompt too long for it."""
        first = plan.candidates[0].target
        stand_in = self._stand_in(first)
        if stand_in is None or first.provider in self._callers_own or self._routing.names_instance(request.model):
            return plan
        needed = _needed(request)
        served = self._routing.served(stand_in)
        # Tools that run at a provider, or that it has made up, are no others' to offer.
        at_home = any(isinstance(tool, HostedTool) for tool in request.tools)
        served = tuple(one for one in served if not at_home or one.provider == first.provider)
        targets = tuple(one for one in served if needed <= one.info.abilities and _fits(one, request))
        if not targets:
            return plan
        why = f"stands in for {self._routing.canonical(first.info.id)} while its cache is lost"
        ahead = [Candidate(target, why) for target in targets]
        behind = tuple(one for one in plan.candidates if one.target not in targets)
        return replace(
            plan,
            candidates=(*ahead, *behind),
            longer=plan.longer or behind,
            stand_in=stand_in,
            standing_in=targets,
        )


def _needed(request: ChatRequest) -> set[Ability]:
    """What a model has to be able to do, so that nothing of the request is lost on it."""
    parts = [part for message in request.messages for part in message.parts]
    images: set[Ability] = {"vision"} if any(isinstance(part, ImagePart) for part in parts) else set()
    files: set[Ability] = {"documents"} if any(isinstance(part, DocumentPart) for part in parts) else set()
    return images | files


def _fits(target: Target, request: ChatRequest) -> bool:
    return not target.info.context or estimate_request(request) < target.info.context


def _placed(plan: Plan, binding: Binding | None) -> Place:
    eligible = [one for one in plan.candidates if not plan.standing_in or one.target in plan.standing_in]
    bound = [one for one in eligible if binding is not None and _is_there(one.target, binding)]
    if binding is None or not bound:
        return Place(plan)
    others: Sequence[Candidate] = [candidate for candidate in plan.candidates if candidate not in bound]
    first = [replace(candidate, why=f"{candidate.why}; {STAYS}") for candidate in bound]
    return Place(replace(plan, candidates=(*first, *others)), binding.credential)


def _is_there(target: Target, binding: Binding) -> bool:
    return (target.provider, target.model) == (binding.provider, binding.model)
