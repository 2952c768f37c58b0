"""How pieces of tool calls that come mixed are put in order."""

from itertools import chain
from time import process_time

from api.dialects.anthropic_messages_order import Content, Order
from schemas.stream import TextDelta, ToolCallDelta


def piece(index: int, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(index, arguments=arguments)


def passed(*pieces: Content) -> tuple[list[Content], list[Content]]:
    """What goes through at once, and what comes at the end."""
    order = Order()
    return list(chain.from_iterable(map(order.feed, pieces))), list(order.end())


def test_what_comes_in_order_goes_through_at_once() -> None:
    pieces = (TextDelta("a"), piece(0, '{"a":'), piece(0, "1}"), piece(1, "{"), piece(1, "}"), TextDelta("b"))
    assert passed(*pieces) == (list(pieces), [])


def test_what_comes_inside_an_unfinished_call_waits_by_calls() -> None:
    pieces = [
        piece(0, "{"),
        piece(1, "{"),
        TextDelta("a"),
        piece(2, "{}"),
        piece(1, "}"),
        piece(0, "}"),
        TextDelta("b"),
    ]
    at_once, at_the_end = passed(*pieces)
    assert at_once == [pieces[0], pieces[5]]
    assert at_the_end == [pieces[1], pieces[4], pieces[2], pieces[3], pieces[6]]


def test_a_call_without_arguments_may_still_get_some() -> None:
    assert passed(piece(0, ""), piece(1, "{}"), piece(0, "{}"))[0] == [piece(0, ""), piece(0, "{}")]


def test_only_an_object_is_complete() -> None:
    assert passed(piece(0, "1"), piece(1, "{}"), piece(0, "2"))[0] == [piece(0, "1"), piece(0, "2")]


def test_what_is_added_to_a_complete_call_is_left_out() -> None:
    assert passed(piece(0, "{}"), TextDelta("a"), piece(0, "\n")) == ([piece(0, "{}"), TextDelta("a")], [])


def test_calls_that_come_mixed_take_linear_time() -> None:
    order, times = Order(), 40_000
    began = process_time()
    order.feed(piece(0, '{"a":"'))
    for _ in range(times):
        assert order.feed(piece(1, "x")) == ()
        assert order.feed(piece(0, "x" * 50)) != ()
    assert process_time() - began < 10, "parsing what came before at each piece would take minutes of processor time"
