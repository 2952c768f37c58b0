"""A provider's answer becomes events, whatever it calls itself."""

import pytest

from core import sse
from services.upstream_events import events_of

JSON, STREAM = b'{"a": 1}', b'data: {"a": 1}\n\n'


def read(content_type: str, *blocks: bytes) -> list[tuple[bytes, str | None]]:
    return [(event.data, event.name) for event in events_of({"content-type": content_type}, blocks)]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/Problem+JSON", "text/html"])
def test_a_body_that_is_no_stream_is_one_event(content_type: str) -> None:
    assert read(content_type, JSON[:3], JSON[3:]) == [(JSON, "body")]


@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "", "text/plain"])
def test_everything_else_is_a_stream(content_type: str) -> None:
    assert read(content_type, STREAM[:3], STREAM[3:]) == [(b'{"a": 1}', None)]


def test_a_stream_that_calls_itself_json_is_a_stream_all_the_same() -> None:
    assert read("application/json", b"\n", STREAM) == [(b'{"a": 1}', None)]


def test_without_a_content_type_it_is_a_stream() -> None:
    assert [event.data for event in events_of({}, [STREAM])] == [b'{"a": 1}']


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
def test_silence_passes_through(content_type: str) -> None:
    events = list(events_of({"content-type": content_type}, [b"", JSON, b""]))
    assert [event is sse.SILENCE for event in events][:2] == [True, True]


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
def test_nothing_is_no_event(content_type: str) -> None:
    assert read(content_type) == []


@pytest.mark.parametrize("kind", ["text/plain", "", "application/octet-stream", "text/event-stream"])
def test_a_whole_body_is_known_under_any_content_type(kind: str) -> None:
    events = list(events_of({"content-type": kind}, [b"", b" \n", b'{"a":', b"", b"1}"]))
    assert events[0] is events[1] is sse.SILENCE
    assert [(event.name, event.data.strip()) for event in events[2:]] == [("body", b'{"a":1}')]


@pytest.mark.parametrize("kind", ["text/plain", "", "text/event-stream", "application/json"])
def test_a_stream_is_known_under_any_content_type(kind: str) -> None:
    events = list(events_of({"content-type": kind}, [b": hi\n\n", b"event: x\nda", b"ta: 1\n\n"]))
    assert [(event.name, event.data) for event in events if event is not sse.SILENCE] == [("x", b"1")]


def test_a_body_by_lines_is_an_event_a_line_however_it_is_cut() -> None:
    body = b'{"a":1}\n\n{"b":2}\r\n{"c":3}'
    for cut in range(len(body) + 1):
        events = list(events_of({"content-type": "application/x-ndjson"}, [body[:cut], body[cut:]]))
        lines = [event.data.strip() for event in events if event is not sse.SILENCE]
        assert lines == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
