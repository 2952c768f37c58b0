"""Preparation: what becomes of a request before anything is reserved or sent for it."""

from dataclasses import dataclass, replace

from core.pipeline import Pipeline
from schemas.chat import ChatRequest
from schemas.origin import Origin
from schemas.route import Plan
from services.landing import SoftLanding
from services.placement import Place, Placement
from services.recollection import Recollection
from services.sessions import session_of
from services.thoughts import ThoughtMemory


@dataclass(frozen=True, slots=True)
class Planned:
    """A request as it is asked for here, and where it may go."""

    request: ChatRequest
    plan: Plan


class Preparation:
    """The same for a chat and for its explanation, so that they agree; changes nothing, and asks no provider."""

    def __init__(
        self,
        landing: SoftLanding,
        placement: Placement,
        recollection: Recollection,
        thoughts: ThoughtMemory,
        pipeline: Pipeline,
    ) -> None:
        self._landing = landing
        self._placement = placement
        self._recollection = recollection
        self._thoughts = thoughts
        self._pipeline = pipeline

    def landed(self, request: ChatRequest, origin: Origin) -> ChatRequest:
        """The request, for a cheaper model if it is time for that."""
        return self._landing.applied(request, origin)

    def instead(self, request: ChatRequest, first: ChatRequest) -> ChatRequest | None:
        """What to try when a budget refuses what was `landed` of the request; None when there is nothing cheaper."""
        return self._landing.cheaper(request) if first is request else None

    def plan(self, request: ChatRequest, origin: Origin, asked: str) -> Planned:
        """The request with its session's name, and where it may go; `asked` is the model that the client wrote.

        Raises ModelNotFound and ModelNotAllowed.
        """
        request = replace(request, session=session_of(request, origin.tenant))
        return Planned(request, self._placement.plan(request, origin.caller, asked))

    def place(self, planned: Planned) -> tuple[ChatRequest, Place]:
        """The request as providers are asked, and in which order: one trip to the store. Raises InvalidRequest."""
        request, plan = planned.request, planned.plan
        found = self._recollection.find({**self._thoughts.names(request), **self._placement.names(plan, request)})
        place = self._placement.place(plan, request, found)
        return self._pipeline.prepare(self._thoughts.recall(request, found)), place
