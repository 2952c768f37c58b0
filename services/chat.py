"""ChatService: one path from a canonical request to the chunks of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from core.clock import Clock
from core.errors import BudgetExceeded
from core.pipeline import Pipeline
from schemas.chat import ChatRequest
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import ChatChunk
from services.aftermath import Aftermath
from services.chat_stream import ChatStream
from services.conversation_turn import ConversationTurn
from services.dispatch import Dispatcher
from services.interceptors import Interceptor
from services.landing import SoftLanding
from services.placement import Placement
from services.recollection import Recollection
from services.response_cache import Kept, ResponseCache
from services.response_cache import Place as CachePlace
from services.run import Call, Run
from services.sessions import session_of
from services.spending import Spending
from services.thoughts import Listener, ThoughtMemory


class ChatService:
    """Opens streams; holds no state of any of them."""

    def __init__(
        self,
        placement: Placement,
        dispatcher: Dispatcher,
        pipeline: Pipeline,
        interceptors: Sequence[Interceptor],
        clock: Clock,
        thoughts: ThoughtMemory,
        recollection: Recollection,
        aftermath: Aftermath,
        spending: Spending,
        landing: SoftLanding,
        cache: ResponseCache,
    ) -> None:
        self._placement = placement
        self._dispatcher = dispatcher
        self._pipeline = pipeline
        self._interceptors = tuple(interceptors)
        self._clock = clock
        self._thoughts = thoughts
        self._recollection = recollection
        self._aftermath = aftermath
        self._spending = spending
        self._landing = landing
        self._cache = cache

    def stream(self, request: ChatRequest, origin: Origin, turn: ConversationTurn | None = None) -> ChatStream:
        """The answer as a stream that has not begun yet; what is said is kept by `turn`, if there is one.

        Raises InvalidRequest and ModelNotFound, and RateLimited, BudgetExceeded or Unpriced when the caller may not.
        """
        landed = self._landing.applied(request, origin)
        try:
            return self._begin(landed, request.model, origin, turn)
        except BudgetExceeded:
            cheaper = self._landing.cheaper(request) if landed is request else None
            if cheaper is None:
                raise
            return self._begin(cheaper, request.model, origin, turn)

    def _begin(self, request: ChatRequest, asked: str, origin: Origin, turn: ConversationTurn | None) -> ChatStream:
        call = self._dispatcher.call(request, origin)
        request = replace(request, session=session_of(request, origin.tenant))
        plan = self._placement.plan(request, origin.caller)
        kept_at = self._cache.place(request, origin) if turn is None else None
        kept = self._cache.find(kept_at) if isinstance(kept_at, CachePlace) else None
        if kept is not None:
            return self._again(kept, request, asked, call)
        found = self._recollection.find({**self._thoughts.names(request), **self._placement.names(plan, request)})
        place = self._placement.place(plan, request, found)
        request = self._pipeline.prepare(self._thoughts.recall(request, found))
        longer = tuple(candidate.target for candidate in place.plan.longer)
        hold = self._spending.open(request, origin, (*place.plan.targets, *longer))
        outcome = Outcome(
            model=asked,
            stream=request.stream,
            repairs=request.repairs,
            plan=place.plan,
            caller=origin.caller_id,
            allowance=hold.allowance,
            landed=request.model != asked,
            conversation=None if turn is None else turn.conversation,
            cache=_cache_word(kept_at),
        )
        run = Run(
            request,
            call,
            outcome,
            hold,
            prefer=place.prefer,
            homeward=place.homeward,
            bound=place.bound,
            home=place.home,
            longer=longer,
            strict=plan.strict,
        )
        source = self._dispatcher.chunks(run, place.plan.targets)
        chunks = self._pipeline.process(request, self._heard(run, source), None if turn is None else turn.hear)
        if isinstance(kept_at, CachePlace):
            chunks = self._cache.recording(kept_at, outcome, chunks)
        return self._watched(run, source, chunks, turn)

    def _again(self, kept: Kept, request: ChatRequest, asked: str, call: Call) -> ChatStream:
        """An answer that was given before; it costs nothing."""
        outcome = Outcome(
            model=asked,
            stream=request.stream,
            provider=kept.provider,
            upstream_model=kept.upstream_model,
            billed_model=kept.billed_model,
            caller=call.origin.caller_id,
            cost=0.0,
            cache="hit",
        )
        source = (chunk for chunk in kept.chunks)
        return self._watched(Run(request, call, outcome, committed=True), source, source, None)

    def _watched(
        self, run: Run, source: Iterator[ChatChunk], chunks: Iterator[ChatChunk], turn: ConversationTurn | None
    ) -> ChatStream:
        for interceptor in self._interceptors:
            chunks = interceptor.watch(run.request, chunks, run.outcome, run.call.request_id)
        return ChatStream(run, source, chunks, self._interceptors, self._aftermath, self._spending, self._clock, turn)

    def _heard(self, run: Run, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The same chunks, of whose thinking is remembered what the provider that wrote it will want back."""
        listener = Listener(self._thoughts, run.request.session or "")
        for chunk in chunks:
            listener.hear(chunk, self._dispatcher.issuer(run))
            run.hear(chunk)
            yield chunk


def _cache_word(place: CachePlace | str | None) -> str | None:
    if isinstance(place, CachePlace):
        return "refresh" if place.refresh else "miss"
    return place
