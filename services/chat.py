"""ChatService: one path from a canonical request to the chunks of its answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.clock import Clock
from core.errors import BudgetExceeded
from core.pipeline import Pipeline
from schemas.chat import ChatRequest
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import ChatChunk
from services.aftermath import Aftermath
from services.chat_stream import ChatStream
from services.closing import Closing
from services.conversation_turn import ConversationTurn
from services.dispatch import Dispatcher
from services.interceptors import Interceptor
from services.preparation import Preparation
from services.response_cache import Kept, ResponseCache
from services.response_cache import Place as CachePlace
from services.run import Call, Run
from services.spending import Spending
from services.thoughts import Listener, ThoughtMemory


@dataclass(frozen=True, slots=True)
class Asked:
    """The model that the client wrote; `may_land`: a cheaper one takes what its budgets have no room for."""

    model: str
    may_land: bool = False


class ChatService:
    """Opens streams; holds no state of any of them."""

    def __init__(
        self,
        preparation: Preparation,
        dispatcher: Dispatcher,
        pipeline: Pipeline,
        interceptors: Sequence[Interceptor],
        clock: Clock,
        thoughts: ThoughtMemory,
        aftermath: Aftermath,
        spending: Spending,
        cache: ResponseCache,
        closing: Closing,
    ) -> None:
        self._preparation = preparation
        self._dispatcher = dispatcher
        self._pipeline = pipeline
        self._interceptors = tuple(interceptors)
        self._clock = clock
        self._thoughts = thoughts
        self._aftermath = aftermath
        self._spending = spending
        self._cache = cache
        self._closing = closing

    def stream(self, request: ChatRequest, origin: Origin, turn: ConversationTurn | None = None) -> ChatStream:
        """The answer as a stream that has not begun yet; what is said is kept by `turn`, if there is one.

        Raises InvalidRequest and ModelNotFound, and RateLimited, BudgetExceeded or Unpriced when the caller may not.
        """
        first = self._preparation.landed(request, origin)
        cheaper = self._preparation.instead(request, first)
        if cheaper is None:
            return self._begin(first, Asked(request.model), origin, turn)
        try:
            return self._begin(first, Asked(request.model, may_land=True), origin, turn)
        except BudgetExceeded:
            return self._begin(cheaper, Asked(request.model), origin, turn)

    def _begin(self, request: ChatRequest, asked: Asked, origin: Origin, turn: ConversationTurn | None) -> ChatStream:
        call = self._dispatcher.call(request, origin)
        planned = self._preparation.plan(request, origin, asked.model)
        request = planned.request
        kept_at = self._cache.place(request, origin, planned.plan) if turn is None else None
        kept = self._cache.find(kept_at) if isinstance(kept_at, CachePlace) else None
        if kept is not None:
            return self._again(kept, request, asked.model, call)
        request, place = self._preparation.place(planned)
        longer = tuple(candidate.target for candidate in place.plan.longer)
        hold = self._spending.open(request, origin, (*place.plan.targets, *longer))
        if asked.may_land:
            hold.admit_any(place.plan.targets)
        if not self._dispatcher.forwards(request, (*place.plan.targets, *longer)):
            request.native.forget_raw()
        outcome = Outcome(
            model=asked.model,
            stream=request.stream,
            repairs=request.repairs,
            plan=place.plan,
            caller=origin.caller_id,
            allowance=hold.allowance,
            landed=request.model != asked.model,
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
            strict=place.plan.strict,
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
        return ChatStream(
            run,
            source,
            chunks,
            self._interceptors,
            self._aftermath,
            self._spending,
            self._clock,
            self._closing,
            turn,
        )

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
