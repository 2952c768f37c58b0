"""Parallel tool calls arrive whole, however oddly a server of OpenAI's form numbers and cuts them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.clients import OPENAI, Dialect
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, STREAMED_OR_NOT, Kind, World
from tests.upstreams.answers import DONE, event
from tests.upstreams.openai_answers import DETAILED
from tests.upstreams.steps import stream as sse

Delta = dict[str, Any]
CALLS = [("call_a", "weather", '{"city":"Köln"}'), ("call_b", "clock", '{"zone":"CET"}')]
FORMED = [kind for kind in KINDS.values() if kind.native == "openai" or kind.name == "glm"]


def _first(number: int, arguments: str = "", **more: Any) -> Delta:
    ident, name, _ = CALLS[number]
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def _piece(text: str, **more: Any) -> Delta:
    return {"function": {"arguments": text}, **more}


def _halves(number: int) -> tuple[str, str]:
    text = CALLS[number][2]
    return text[:5], text[5:]


def without_index() -> list[list[Delta]]:
    """No piece says which call it belongs to."""
    return [piece for number in (0, 1) for piece in ([_first(number)], *([_piece(text)] for text in _halves(number)))]


def all_index_0() -> list[list[Delta]]:
    """Every call is number 0, and only a new id tells that another one begins."""
    return [
        piece
        for number in (0, 1)
        for piece in ([_first(number, index=0)], *([_piece(text, index=0)] for text in _halves(number)))
    ]


def late_id() -> list[list[Delta]]:
    """The name comes first, and the id with the last piece."""
    pieces: list[list[Delta]] = []
    for number, (ident, name, _) in enumerate(CALLS):
        head, tail = _halves(number)
        pieces.append([{"index": number, "type": "function", "function": {"name": name, "arguments": ""}}])
        pieces += [[_piece(head, index=number)], [_piece(tail, index=number, id=ident)]]
    return pieces


def in_one_delta() -> list[list[Delta]]:
    """Both calls stand whole in one piece."""
    return [[_first(number, CALLS[number][2], index=number) for number in (0, 1)]]


def numbered_from_1() -> list[list[Delta]]:
    """The first call is number 1."""
    return [[_first(number, CALLS[number][2], index=number + 1)] for number in (0, 1)]


ODDITIES: Mapping[str, Callable[[], list[list[Delta]]]] = {
    "no index": without_index,
    "all index 0": all_index_0,
    "late id": late_id,
    "one delta": in_one_delta,
    "from 1": numbered_from_1,
}


@pytest.mark.parametrize("kind", FORMED, ids=str)
@BOTH_DIALECTS
@STREAMED_OR_NOT
@pytest.mark.parametrize("odd", ODDITIES.values(), ids=ODDITIES)
def test_parallel_calls_arrive_whole(
    world: World, kind: Kind, dialect: Dialect, stream: bool, odd: Callable[[], list[list[Delta]]]
) -> None:
    world.upstream.script(sse(events(odd())))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather", "clock"))
    assert (heard.status, heard.error, heard.ended) == (200, None, True)
    assert [name for _, name, _ in heard.calls] == ["weather", "clock"]
    assert [json.loads(arguments) for *_, arguments in heard.calls] == [{"city": "Köln"}, {"zone": "CET"}]
    idents = [ident for ident, *_ in heard.calls]
    assert all(idents)
    assert len(set(idents)) == 2
    if odd is not late_id:
        assert idents == ["call_a", "call_b"]
    assert heard.reason == ("tool_calls" if dialect is OPENAI else "tool_use")


def events(pieces: list[list[Delta]]) -> list[bytes]:
    """The answer that holds these pieces of calls."""
    deltas: list[Delta] = [{"role": "assistant", "content": ""}, *({"tool_calls": piece} for piece in pieces)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1_795_200_000, "model": "m"}
    chunks = [{**head, "choices": [choice]} for choice in choices]
    return [*map(event, chunks), event({**head, "choices": [], "usage": dict(DETAILED)}), DONE]
