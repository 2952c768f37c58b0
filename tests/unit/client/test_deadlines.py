"""No gateway holds a call up beyond its time, however little it sends at a time."""

import time
from typing import Any

import pytest

from client import StreamBroken, TextDelta, TimedOut, UpstreamFailed
from tests.unit.client.gateways_kit import HI, farm
from tests.upstreams.openai_answers import openai_body, openai_stream
from tests.upstreams.steps import JSON, Drop, Events, Head, Hold, Pause, Raw, Send, Step, stream, whole

DROP = 0.03  # seconds


def drops(data: bytes, before: tuple[Step, ...] = (), chunked: bool = False) -> list[Step]:
    """A byte now and then, for longer than any of these tests waits."""
    one = Send(data) if chunked else Raw(data)
    return [*before, *[step for _ in range(200) for step in (one, Pause(DROP))]]


DRIPPING: dict[str, list[Step]] = {
    "status": drops(b"H"),
    "headers": drops(b"X-A: b\r\n", (Raw(b"HTTP/1.1 200 OK\r\n"),)),
    "body": drops(b" ", (Head(200, JSON, length=5000),)),
    "comments": drops(b": keep-alive\n\n", (Head(),), chunked=True),
    "empty deltas": drops(b'data: {"choices": [{"delta": {}}]}\n\n', (Head(),), chunked=True),
    "nothing": [Hold()],
}


@pytest.mark.parametrize("how", ["chat", "stream", "embed"])
@pytest.mark.parametrize("steps", DRIPPING.values(), ids=DRIPPING.keys())
def test_what_comes_in_drops_does_not_outlast_the_call(how: str, steps: list[Step]) -> None:
    calls: dict[str, Any] = {
        "chat": lambda client: client.chat(HI),
        "stream": lambda client: client.stream(HI),
        "embed": lambda client: client.embed("a", model="e"),
    }
    with farm(timeout=0.3, policy={"attempts": 1}) as one:
        one.gateways[0].script(*steps)
        began = time.monotonic()
        with pytest.raises(TimedOut):
            calls[how](one.client)
        assert time.monotonic() - began < 3, "the drops come for six seconds"
        assert one.gateways[0].wait_closed()


def test_a_refusal_in_drops_is_told_by_its_status() -> None:
    with farm(timeout=0.3, policy={"attempts": 1}) as one:
        one.gateways[0].script(*drops(b" ", (Head(500, JSON, length=5000),)))
        with pytest.raises(UpstreamFailed, match="500"):
            one.client.chat(HI)
        assert one.gateways[0].wait_closed()


def test_a_try_may_have_less_time_than_the_call() -> None:
    with farm(2, try_timeout=1.0) as one:
        one.gateways[0].script(Hold(), times=None)
        assert one.client.chat(HI).text == "I am 1"
        assert one.asked == [1, 1]
        with one.client.stream(HI) as answer:
            list(answer)
        assert one.asked == [1, 2], "a gateway that was too slow is asked last"


def test_a_whole_answer_may_take_longer_than_a_stream_may_be_silent() -> None:
    with farm(silence=0.1) as one:
        one.gateways[0].script(Pause(0.4), *whole(openai_body("slow")))
        assert one.client.chat(HI).text == "slow"
        assert one.asked == [1]


def test_a_stream_that_has_begun_is_bound_by_silence_alone() -> None:
    events = openai_stream("one two three", piece=4)
    slowly = [step for event in events[2:5] for step in (Pause(0.4), Send(event))]
    steps = [Head(), Events(events[:2]), *slowly, Events(events[5:])]
    with farm(timeout=1.0, silence=5.0) as one:
        one.gateways[0].script(*steps, Drop())
        with one.client.stream(HI) as answer:
            assert "".join(delta.text for delta in answer if isinstance(delta, TextDelta)) == "one two three"


def test_a_stream_that_stalls_is_broken_off_with_what_had_come() -> None:
    with farm(silence=0.8) as one:
        one.gateways[0].script(Head(), Events(openai_stream("half", piece=100)[:2]), Hold())
        with one.client.stream(HI) as answer, pytest.raises(StreamBroken, match="silent") as broken:
            list(answer)
        assert broken.value.partial == "half"
        assert isinstance(broken.value.__cause__, TimedOut)
        assert one.gateways[0].wait_closed()


def test_a_gateway_that_goes_on_after_the_end_does_not_hold_up_the_end() -> None:
    with farm() as one:
        one.gateways[0].script(Head(), Events(openai_stream("all")), Hold())
        began = time.monotonic()
        with one.client.stream(HI) as answer:
            list(answer)
        assert time.monotonic() - began < 3
        assert one.gateways[0].wait_closed()


def test_streams_that_came_to_their_end_leave_their_connection_to_the_next() -> None:
    with farm() as one:
        one.gateways[0].behave(lambda _: stream(openai_stream("again")))
        for _ in range(3):
            with one.client.stream(HI) as answer:
                list(answer)
        assert one.gateways[0].accepted_connections == 1
