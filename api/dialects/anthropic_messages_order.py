"""Brings the pieces of an answer in an order in which no block has to be opened twice."""

from itertools import chain

from schemas.codec import loads
from schemas.stream import ReasoningDelta, Signature, TextDelta, ToolCallDelta

Content = TextDelta | ReasoningDelta | Signature | ToolCallDelta


class Order:
    """Lets everything through as it comes, but for what comes while a tool call still lacks some of its arguments.

    That waits until the end of the answer, as the rest of the call may come any time; time is linear, since a call is
    looked at once. What a provider adds to a call whose arguments were complete is left out.
    """

    def __init__(self) -> None:
        self._index: int | None = None
        self._arguments: list[str] = []
        self._complete: set[int] = set()
        self._waiting: list[list[Content]] = []
        self._calls: dict[int, list[Content]] = {}

    def feed(self, piece: Content) -> tuple[Content, ...]:
        """What can be sent now."""
        index = piece.index if isinstance(piece, ToolCallDelta) else None
        if index in self._complete:
            return ()
        if self._index is not None and index != self._index and not self._is_over():
            self._wait(piece, index)
            return ()
        if isinstance(piece, ToolCallDelta):
            self._index = piece.index
            self._arguments.append(piece.arguments)
        return (piece,)

    def end(self) -> tuple[Content, ...]:
        """What has waited, the pieces of one call together."""
        return tuple(chain.from_iterable(self._waiting))

    def _is_over(self) -> bool:
        """Close the current call if its arguments are an object, which nothing can be added to."""
        if self._waiting:
            return False
        try:
            whole = isinstance(loads("".join(self._arguments)), dict)
        except ValueError:
            whole = False
        if whole and self._index is not None:
            self._complete.add(self._index)
            self._index = None
            self._arguments.clear()
        return whole

    def _wait(self, piece: Content, index: int | None) -> None:
        if index is None:
            self._waiting.append([piece])
        elif index in self._calls:
            self._calls[index].append(piece)
        else:
            self._calls[index] = [piece]
            self._waiting.append(self._calls[index])
