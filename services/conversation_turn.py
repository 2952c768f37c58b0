"""One request's turn in a conversation: what is asked, what is answered, and that both are kept."""

from collections.abc import Callable, Iterator, Sequence

import structlog

from core.clock import Clock
from core.errors import ClientGone, NotFound
from schemas.conversation import Status, StoredItem, Turn
from schemas.outcome import Outcome
from schemas.stream import ChatChunk
from services.conversation_listener import AnswerListener

Keep = Callable[[Sequence[StoredItem], Turn], object]
"""Puts the items of a turn at the end of a conversation."""
CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete that came to an end, by its finish reason."""


class ConversationTurn:
    """Keeps what was asked and what was answered together, once: before the client is told that the answer has ended,
    or when the stream is closed before that.

    An answer that has not begun leaves nothing behind, so that the request can be sent again. Never raises: the answer
    is the client's whether or not it could be kept.
    """

    def __init__(
        self, conversation: str, asked: Sequence[StoredItem], request_id: str, keep: Keep, clock: Clock
    ) -> None:
        """`conversation` is its id."""
        self.conversation = conversation
        self._asked = tuple(asked)
        self._request_id = request_id
        self._keep = keep
        self._clock = clock
        self._listener = AnswerListener()
        self._over = False

    def hear(self, chunks: Iterator[ChatChunk]) -> Iterator[ChatChunk]:
        """The same chunks, which are what the model says, searched and before thinking is shown or hidden."""
        return self._listener.hear(chunks)

    def end(self, outcome: Outcome) -> None:
        """Keep the turn: the answer has come to its end if `outcome` has a finish reason, else it was broken off."""
        if self._over:
            return
        self._over = True
        reason = _reason(outcome)
        status: Status = "completed" if reason is None else "incomplete"
        said = self._listener.items(status)
        if not said and outcome.finish_reason is None:
            return
        try:
            self._keep([*self._asked, *said], self._told(outcome, status, reason))
            outcome.turn = status
        except NotFound:
            # It was deleted while the model answered, which is what its owner wanted.
            outcome.turn = "unstored"
        except Exception:  # noqa: BLE001 - the answer has been given, and must not fail for this
            outcome.turn = "unstored"
            structlog.get_logger(__name__).exception(
                "turn_not_stored", conversation=self.conversation, request_id=self._request_id
            )

    def _told(self, outcome: Outcome, status: Status, reason: str | None) -> Turn:
        return Turn(
            created_at=self._clock.now(),
            status=status,
            reason=reason,
            model=outcome.model,
            provider=outcome.provider,
            upstream_model=outcome.upstream_model,
            finish_reason=outcome.finish_reason,
            usage=outcome.usage,
            cost_usd=outcome.cost,
            request_id=self._request_id,
        )


def _reason(outcome: Outcome) -> str | None:
    """Why the answer is not whole, None when it is."""
    if outcome.finish_reason is not None:
        return CUT_SHORT.get(outcome.finish_reason)
    return outcome.error or ClientGone.code
