"""Numbers the tool calls of an Anthropic answer, and reads their arguments."""

from collections.abc import Mapping
from typing import Any

from schemas.codec import dumps
from schemas.stream import ToolCallDelta

Wire = Mapping[str, Any]


class ToolCalls:
    """The tool calls one answer has begun, numbered from 0 in order of appearance."""

    __slots__ = ("_number", "_open", "_silent")

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, int] = {}
        self._silent: set[int] = set()

    def __bool__(self) -> bool:
        return self._number > 0

    def begin(self, index: Any, block: Wire) -> ToolCallDelta:
        """The first piece of the call in `block`; `index` is the block's, None for an answer that is no stream."""
        number, self._number = self._number, self._number + 1
        given = block.get("input")
        if isinstance(index, int):
            self._open.pop(index, None)
            # A server that begins with the whole input has said it all, even if it says it again in pieces.
            if not given:
                self._open[index] = number
                self._silent.add(number)
        whole = given or index is None
        return ToolCallDelta(number, _word(block, "id"), _word(block, "name"), _arguments(given) if whole else "")

    def add(self, index: Any, arguments: str) -> ToolCallDelta | None:
        """A later piece; None when it is empty, or belongs to a call that runs at the provider."""
        number = self._open.get(index) if isinstance(index, int) else None
        if number is None or not arguments:
            return None
        self._silent.discard(number)
        return ToolCallDelta(number, arguments=arguments)

    def close(self, index: Any) -> ToolCallDelta | None:
        """The arguments of a call that ended without any."""
        number = self._open.pop(index, None) if isinstance(index, int) else None
        return ToolCallDelta(number, arguments="{}") if number in self._silent else None


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) and given else dumps(given or {}).decode()


def _word(block: Wire, name: str) -> str | None:
    word = block.get(name)
    return word if isinstance(word, str) and word else None
