"""ChatService: one path from a canonical request to the chunks of its answer."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import structlog

from core.clock import Clock
from core.errors import ClientGone, GatewayError, InternalError, StoreUnavailable
from core.pipeline import Pipeline
from core.pipeline.collect import collect
from schemas.answer import Answer
from schemas.chat import ChatRequest
from schemas.origin import Origin
from schemas.outcome import Outcome
from schemas.stream import ChatChunk, Finished
from schemas.usage import Usage
from services.aftermath import Aftermath
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

    def stream(self, request: ChatRequest, origin: Origin, turn: ConversationTurn | None = None) -> "ChatStream":
        """The answer as a stream that has not begun yet; what is said is kept by `turn`, if there is one.

        Raises InvalidRequest and ModelNotFound, and RateLimited, BudgetExceeded or Unpriced when the caller may not.
        """
        asked, call = request.model, self._dispatcher.call(request, origin)
        request = self._landing.applied(request, origin)
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
        run = Run(request, call, outcome, hold, prefer=place.prefer, home=place.home, longer=longer, strict=plan.strict)
        source = self._dispatcher.chunks(run, place.plan.targets)
        chunks = self._pipeline.process(request, self._heard(run, source), None if turn is None else turn.hear)
        if isinstance(kept_at, CachePlace):
            chunks = self._cache.recording(kept_at, request, outcome, chunks)
        return self._watched(run, source, chunks, turn)

    def _again(self, kept: Kept, request: ChatRequest, asked: str, call: Call) -> "ChatStream":
        """An answer that was given before; it costs nothing."""
        outcome = Outcome(
            model=asked,
            stream=request.stream,
            provider=kept.provider,
            upstream_model=kept.upstream_model,
            caller=call.origin.caller_id,
            cost=0.0,
            cache="hit",
        )
        source = (chunk for chunk in kept.chunks)
        return self._watched(Run(request, call, outcome, committed=True), source, source, None)

    def _watched(
        self, run: Run, source: Iterator[ChatChunk], chunks: Iterator[ChatChunk], turn: ConversationTurn | None
    ) -> "ChatStream":
        for interceptor in self._interceptors:
            chunks = interceptor.watch(run.request, chunks, run.call.request_id)
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


class ChatStream:
    """One answer on its way. It owns the upstream connection and the leased credential: always `close` it."""

    def __init__(
        self,
        run: Run,
        source: Iterator[ChatChunk],
        chunks: Iterator[ChatChunk],
        interceptors: Sequence[Interceptor],
        aftermath: Aftermath,
        spending: Spending,
        clock: Clock,
        turn: ConversationTurn | None = None,
    ) -> None:
        self.outcome = run.outcome
        self._run = run
        self._source: Any = source
        self._chunks: Any = self._noted(chunks)
        self._interceptors = interceptors
        self._aftermath = aftermath
        self._spending = spending
        self._clock = clock
        self._turn = turn
        self._closed = False

    def __iter__(self) -> Iterator[ChatChunk]:
        return self._chunks  # type: ignore[no-any-return] # a generator, which mypy would not let be closed

    @property
    def attempts(self) -> int:
        """How many tries were made, the one under way included."""
        return len(self.outcome.attempts) + (self._run.trying_since is not None)

    @property
    def committed(self) -> bool:
        """True once content has come, so that no other provider will be asked."""
        return self._run.committed

    def shown(self) -> None:
        """The client has just been sent something of this answer."""
        self._run.call.signs.show(self._clock.monotonic())

    def cancel(self, error: GatewayError) -> None:
        """Stop waiting for the provider, from outside: `error` is raised where the stream is read."""
        self._run.call.cancel.cancel(error)

    def collect(self) -> Answer:
        """The whole answer; the stream is closed afterwards. Raises GatewayError."""
        with closing(self):
            return collect(self._chunks)

    def overhead(self) -> float:
        """Seconds spent here so far, and neither at a provider nor waiting for a key's turn."""
        now, run = self._clock.monotonic(), self._run
        trying = 0.0 if run.trying_since is None else now - run.trying_since
        elsewhere = self.outcome.upstream_seconds + self.outcome.queue_seconds + trying
        return max(0.0, now - run.call.started - elsewhere)

    def close(self) -> None:
        """Close the connection, give the credential back and tell the interceptors; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            for generator in (self._chunks, self._source):
                generator.close()
        finally:
            self._settle()
            self._charge()
            self._keep()
            self._aftermath.of(self._run)
            self._tell()

    def _noted(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        try:
            for chunk in chunks:
                if isinstance(chunk, Finished):
                    self._note_end(chunk)
                    # Before the client sees the end, and asks what comes next.
                    self._keep()
                yield chunk
        except GatewayError as error:
            self.outcome.error = error.code or error.type
            self._note_part()
            self._keep()
            raise
        except Exception:
            self.outcome.error = InternalError.code
            self._note_part()
            self._keep()
            raise

    def _note_end(self, end: Finished) -> None:
        self.outcome.finish_reason = end.reason
        self._note_usage(end.usage)

    def _keep(self) -> None:
        """Keep what was asked and said: before the client is told of the end, and may ask what comes next."""
        if self._turn is not None:
            self._turn.end(self.outcome)

    def _note_part(self) -> None:
        """Note what is known to have been used for an answer that broke off."""
        if self.outcome.finish_reason is None and self._run.heard:
            self._note_usage(self._run.usage_so_far())

    def _note_usage(self, usage: Usage | None) -> None:
        if self._run.target is not None:
            self._spending.note(self.outcome, self._run.target, usage)

    def _charge(self) -> None:
        """Settle what was reserved: as reported, as far as is known of an answer that broke off, or not at all."""
        run, outcome = self._run, self.outcome
        self._note_part()
        try:
            if outcome.usage is not None and run.target is not None:
                run.hold.settle(run.target.provider, outcome.usage, outcome.cost)
            elif outcome.finish_reason is None:
                run.hold.refund()
        except StoreUnavailable:
            # What was reserved stays counted until its window is over.
            structlog.get_logger(__name__).warning("spending_not_settled", request_id=run.call.request_id)
        run.hold.close()

    def _settle(self) -> None:
        lease, self._run.lease = self._run.lease, None
        if self.outcome.finish_reason is None and self.outcome.error is None:
            self.outcome.error = ClientGone.code
        if lease is None:
            return
        if self.outcome.finish_reason is not None:
            lease.succeed(self.outcome.usage, self.outcome.attempts[-1].seconds, self.outcome.cost)
        else:
            lease.abandon()

    def _tell(self) -> None:
        self.outcome.seconds = self._clock.monotonic() - self._run.call.started
        for interceptor in self._interceptors:
            try:
                interceptor.finished(self._run.request, self.outcome, self._run.call.request_id)
            except Exception:  # noqa: BLE001 - the answer has been given, and the others are to be told of it
                structlog.get_logger(__name__).exception("interceptor_failed", interceptor=type(interceptor).__name__)
