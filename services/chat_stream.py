"""ChatStream: one answer on its way, and what has to happen when it is over."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import structlog

from core.clock import Clock
from core.errors import ClientGone, GatewayError, InternalError, StoreUnavailable
from core.pipeline.collect import collect
from schemas.answer import Answer
from schemas.stream import ChatChunk, Finished
from schemas.usage import Usage
from services.aftermath import Aftermath
from services.closing import Closing
from services.conversation_turn import ConversationTurn
from services.interceptors import Interceptor
from services.run import Run
from services.site import Lease
from services.spending import Spending


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
        closing: Closing,
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
        self._closing = closing
        self._turn = turn
        self._closed = False
        closing.enter(run.call.cancel)

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
        """Seconds spent here so far, and not waiting for others."""
        now, run = self._clock.monotonic(), self._run
        trying = 0.0 if run.trying_since is None else now - run.trying_since
        return max(0.0, now - run.call.started - self.outcome.waited_seconds - trying)

    def close(self) -> None:
        """Close the connection, give the credential back and tell the interceptors; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._closing.leave(self._run.call.cancel)
        with ExitStack() as ends:
            # From the last to the first, and each of them whatever becomes of the others.
            ends.callback(self._tell)
            ends.callback(self._aftermath.of, self._run)
            ends.callback(self._keep)
            ends.callback(self._run.hold.close)
            ends.callback(self._charge)
            ends.callback(self._settle)
            ends.callback(self._note_part)
            ends.callback(self._source.close)
            ends.callback(self._chunks.close)

    def _noted(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        try:
            for chunk in chunks:
                if isinstance(chunk, Finished):
                    self._note_end(chunk)
                    self._aftermath.ended(self._run)
                    self._over()
                    # Nothing runs on at the provider: it has ended too, or was left when the answer was cut short here.
                    self._give_back()
                yield chunk
        except GatewayError as error:
            self.outcome.error, self.outcome.status = error.code or error.type, error.status
            self._note_part()
            self._over()
            raise
        except Exception:
            self.outcome.error, self.outcome.status = InternalError.code, InternalError.status
            self._note_part()
            self._over()
            raise

    def _over(self) -> None:
        """What concerns the client's next request, before it sees the end of this answer and asks that."""
        self._keep()
        self._charge()
        self._run.hold.close()

    def _note_end(self, end: Finished) -> None:
        self.outcome.finish_reason = end.reason
        self._note_usage(end.usage)

    def _keep(self) -> None:
        """Keep what was asked and said: before the client is told of the end, and may ask what comes next."""
        if self._turn is not None:
            self._turn.end(self.outcome)

    def _note_part(self) -> None:
        """Note what is known to have been used for an answer that broke off."""
        if self.outcome.finish_reason is not None or self._run.target is None:
            return
        if self._run.committed:
            self._note_usage(self._run.usage_so_far())
        elif self._run.unheard:
            self._note_usage(self._spending.at_most(self._run.request, self._run.target))

    def _note_usage(self, usage: Usage | None) -> None:
        if self._run.target is not None:
            body, answered = self._run.request.native.body, self._run.answered
            self._spending.note(self.outcome, self._run.target, usage, body, answered)

    def _charge(self) -> None:
        """Settle what was reserved: as reported, as far as is known of an answer that broke off, or not at all."""
        run, outcome = self._run, self.outcome
        try:
            if run.unheard and run.target is not None:
                run.hold.keep(run.target.provider, outcome.paid)
            elif outcome.usage is not None and run.target is not None:
                run.hold.settle(run.target.provider, outcome.usage, outcome.paid)
            elif outcome.finish_reason is None:
                run.hold.refund()
        except StoreUnavailable:
            # What was reserved stays counted until its window is over.
            structlog.get_logger(__name__).warning("spending_not_settled", request_id=run.call.request_id)

    def _settle(self) -> None:
        if self.outcome.finish_reason is None and self.outcome.error is None:
            self.outcome.error, self.outcome.status = ClientGone.code, ClientGone.status
        if self.outcome.finish_reason is not None:
            self._give_back()
            return
        lease, self._run.lease = self._run.lease, None
        if lease is not None:
            lease.abandon()
        self._count_part(lease or self._run.broken)

    def _give_back(self) -> None:
        """Give back the credential that has answered, once: the client's next request may wait for its slot."""
        lease, self._run.lease = self._run.lease, None
        if lease is None:
            return
        began = self._run.trying_since
        seconds = self.outcome.attempts[-1].seconds if began is None else self._clock.monotonic() - began
        lease.succeed(self.outcome.usage, seconds, self.outcome.cost)

    def _count_part(self, lease: Lease | None) -> None:
        """Tell the credential too what is known to have been used for an answer that broke off."""
        if lease is not None and self.outcome.usage is not None:
            lease.count(self.outcome.usage, self.outcome.cost)

    def _tell(self) -> None:
        self.outcome.seconds = self._clock.monotonic() - self._run.call.started
        for interceptor in self._interceptors:
            try:
                interceptor.finished(self._run.request, self.outcome, self._run.call.request_id)
            except Exception:  # noqa: BLE001 - the answer has been given, and the others are to be told of it
                structlog.get_logger(__name__).exception("interceptor_failed", interceptor=type(interceptor).__name__)
