"""Every answer reads the same however it comes over the wire, and is never taken for whole when it is not."""

import json

import pytest

from tests.clients import ANTHROPIC, OPENAI, Call, Dialect, Heard
from tests.integration.providers_kit import BOTH_DIALECTS, KINDS, STREAMED_OR_NOT, Kind, World, every_kind, every_way
from tests.upstreams.answers import TEXT, event
from tests.upstreams.steps import SSE, Drop, Head, Raw, in_pieces, stream, without_last_chunk
from tests.upstreams.wire import chunked

LONG = "naïve 世界 👩‍👩‍👧 "
CALLS: list[Call] = [("call_a", "weather", '{"city":"Köln"}')]
MANY, HUGE = 10_000, 5_000_000
CUTS = 8
FORMS = [KINDS[name] for name in ("anthropic", "openai", "gemini", "ollama", "glm")]
"""One kind of each form, for what takes long."""


def is_sse(kind: Kind) -> bool:
    return kind.form.headers is SSE


def said(heard: Heard) -> tuple[str, list[tuple[str, object]]]:
    """The text, and the calls with their arguments as values."""
    return heard.text, [(name, json.loads(arguments)) for _, name, arguments in heard.calls]


@every_kind
@BOTH_DIALECTS
@pytest.mark.parametrize("sizes", [(1,), (7, 2, 31)], ids=str)
def test_an_answer_that_comes_byte_by_byte_reads_the_same(
    world: World, kind: Kind, dialect: Dialect, sizes: tuple[int, ...]
) -> None:
    events = b"".join(kind.form.events(LONG, "", CALLS, piece=5))
    world.upstream.script(in_pieces(events, 1, kind.form.headers, sizes))
    heard = dialect.ask(world.gateway, kind.asked, stream=True, **dialect.tools("weather"))
    assert said(heard) == (LONG, [("weather", {"city": "Köln"})])
    assert heard.ended


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [*((kind, OPENAI) for kind in FORMS), (KINDS["anthropic"], ANTHROPIC), (KINDS["glm"], ANTHROPIC)],
    ids=str,
)
def test_ten_thousand_tiny_pieces_are_one_text(world: World, kind: Kind, dialect: Dialect) -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(MANY))
    data = b"".join(kind.form.events(text, piece=1))
    world.upstream.script(Head(headers=kind.form.headers), Raw(chunked(data)))
    heard = dialect.ask(world.gateway, kind.asked, stream=True)
    assert heard.text == text
    assert heard.ended


@pytest.mark.parametrize("kind", FORMS, ids=str)
@BOTH_DIALECTS
@STREAMED_OR_NOT
def test_one_huge_piece_is_one_text(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    text = "0123456789" * (HUGE // 10)
    world.answers(kind.form, text, piece=HUGE)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert heard.text == text
    assert heard.ended


@every_way
def test_lines_may_end_as_on_windows(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    events = [event.replace(b"\n", b"\r\n") for event in kind.form.events(LONG, "", CALLS)]
    world.upstream.script(stream_of(kind, events))
    heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather"))
    assert said(heard) == (LONG, [("weather", {"city": "Köln"})])


@every_way
def test_comments_and_blank_lines_mean_nothing(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    noise = b": ping\n\n\n:\n" if is_sse(kind) else b"\n \n"
    events = [noise + event for event in kind.form.events(LONG)]
    world.upstream.script(stream_of(kind, [*events, noise]))
    assert dialect.ask(world.gateway, kind.asked, stream=stream).text == LONG


@every_way
def test_unknown_events_and_fields_mean_nothing(world: World, kind: Kind, dialect: Dialect, stream: bool) -> None:
    events = kind.form.events(LONG)
    strange = b'event: news_of_tomorrow\ndata: {"type":"news_of_tomorrow","choices":[],"x":{"y":[1]}}\n\n'
    line = b'{"model":"m","news":{"y":[1]},"done":false}\n'
    events.insert(len(events) // 2, strange if is_sse(kind) else line)
    world.upstream.script(stream_of(kind, events))
    response = dialect.post(world.gateway, kind.asked, stream=stream)
    if dialect is ANTHROPIC and kind.native == "anthropic" and stream:
        assert strange in response.content, "what is new is for clients who know it"
        return
    assert dialect.heard(response).text == LONG


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.native == "openai"], ids=str)
@BOTH_DIALECTS
def test_a_first_event_without_an_id_gives_the_stream_no_second_one(world: World, kind: Kind, dialect: Dialect) -> None:
    """Azure's servers begin with what their filters found in the prompt."""
    filtered = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"a": 1}]}
    world.upstream.script(stream([event(filtered), *kind.form.events(LONG)]))
    heard = dialect.ask(world.gateway, kind.asked, stream=True)
    assert (heard.text, heard.models) == (LONG, {kind.asked})


@every_way
@pytest.mark.parametrize("ending", ["properly", "by closing"])
def test_the_last_word_may_be_missing(world: World, kind: Kind, dialect: Dialect, stream: bool, ending: str) -> None:
    events = kind.form.events(LONG)
    if kind.form.terminator:
        assert events.pop() == kind.form.terminator
    steps = stream_of(kind, events) if ending == "properly" else without_last_chunk_of(kind, events)
    world.upstream.script(steps)
    heard = dialect.ask(world.gateway, kind.asked, stream=stream)
    assert (heard.status, heard.text, heard.error, heard.ended) == (200, LONG, None, True)


@every_way
def test_an_answer_that_breaks_off_is_never_taken_for_whole(
    world: World, kind: Kind, dialect: Dialect, stream: bool
) -> None:
    """Wherever it breaks off: what the client gets is whole, or a status, or ends with one error event."""
    data = b"".join(kind.form.events(TEXT, "", CALLS))
    told = set()
    # Each combination is cut elsewhere.
    first = len(kind.name) * 37 + stream * 11 + len(dialect.name) * 7
    step = len(data) // CUTS
    for cut in (*range(first % step, len(data), step), len(data) - 15, len(data) - 3):
        world.upstream.script(Head(headers=kind.form.headers), Raw(chunked(data[:cut], last=False)), Drop())
        heard = dialect.ask(world.gateway, kind.asked, stream=stream, **dialect.tools("weather"))
        if heard.ended:
            told.add("whole")
            assert (heard.status, heard.error) == (200, None)
            assert said(heard) == (TEXT, [("weather", {"city": "Köln"})]), f"cut at {cut} of {len(data)}"
            assert heard.reason == ("tool_use" if dialect is ANTHROPIC else "tool_calls")
        else:
            told.add("error")
            assert heard.error is not None
            assert heard.status == (200 if stream and heard.text else heard.status)
            assert heard.status in ((200, 502) if stream else (502,))
            assert TEXT.startswith(heard.text)
    assert "error" in told


@every_kind
@BOTH_DIALECTS
def test_an_answer_that_is_reset_in_the_middle_ends_with_one_error(world: World, kind: Kind, dialect: Dialect) -> None:
    events = kind.form.events(TEXT)
    before = b"".join(events[: len(events) // 2])
    world.upstream.script(Head(headers=kind.form.headers), Raw(chunked(before, last=False)), Drop(reset=True))
    heard = dialect.ask(world.gateway, kind.asked, stream=True)
    assert heard.error is not None
    assert heard.error["type"] == ("api_error" if dialect is ANTHROPIC else "server_error")
    assert not heard.ended


def stream_of(kind: Kind, events: list[bytes]) -> list[object]:
    return [*stream(events, headers=kind.form.headers)]


def without_last_chunk_of(kind: Kind, events: list[bytes]) -> list[object]:
    _, *rest = without_last_chunk(events)
    return [Head(headers=kind.form.headers), *rest]
