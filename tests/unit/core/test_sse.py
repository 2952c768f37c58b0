"""Server-sent events decode the same wherever their bytes are cut."""

from collections.abc import Iterable
from time import process_time

import pytest

from core import sse
from core.errors import UpstreamBroken

Pairs = list[tuple[bytes, str | None]]

STREAMS: dict[str, tuple[bytes, Pairs]] = {
    "LF": (b'data: {"a":1}\n\ndata: two\n\n', [(b'{"a":1}', None), (b"two", None)]),
    "CRLF": (b"data: one\r\n\r\ndata: two\r\n\r\n", [(b"one", None), (b"two", None)]),
    "CR": (b"data: one\r\rdata: two\r\r", [(b"one", None), (b"two", None)]),
    "mixed line ends": (b"data: one\r\n\ndata: two\r\rdata: 3\n\r\n", [(b"one", None), (b"two", None), (b"3", None)]),
    "comments": (b": hi\n\ndata: one\n: in between\n\n:\n\n", [(b"one", None)]),
    "several data lines": (b"data: one\ndata: two\ndata:\ndata: four\n\n", [(b"one\ntwo\n\nfour", None)]),
    "a first data line that is empty": (b"data:\ndata: two\n\n", [(b"\ntwo", None)]),
    "no space": (b"data:one\n\ndata:  two\n\n", [(b"one", None), (b" two", None)]),
    "byte order mark": (b"\xef\xbb\xbfdata: one\n\n", [(b"one", None)]),
    "a mark that is not at the beginning": (b"data: one\n\n\xef\xbb\xbfdata: two\n\n", [(b"one", None)]),
    "missing final blank line": (b"data: one\n\ndata: two\n", [(b"one", None), (b"two", None)]),
    "missing final line end": (b"data: one\n\ndata: two", [(b"one", None), (b"two", None)]),
    "missing final blank line, CR": (b"data: one\r", [(b"one", None)]),
    "missing final blank line, CRLF": (b"data: one\r\n", [(b"one", None)]),
    "names": (b"event: a\ndata: 1\n\ndata: 2\n\nevent:c\ndata: 3\n\n", [(b"1", "a"), (b"2", None), (b"3", "c")]),
    "a name without data": (b"event: lost\n\ndata: one\n\n", [(b"one", None)]),
    "empty data": (b"data\n\ndata:\n\ndata: \n\ndata: one\n\n", [(b"one", None)]),
    "other fields": (b"id: 7\nretry: 10\nnonsense\nother: x\ndata: one\n\n", [(b"one", None)]),
    "characters of several bytes": ("data: 世界 👋\n\n".encode(), [("世界 👋".encode(), None)]),
    "line ends that are none": ("data: a\u2028b\x0bc\u0085d\n\n".encode(), [("a\u2028b\x0bc\u0085d".encode(), None)]),
    "nothing": (b"", []),
}  # fmt: skip


def events(blocks: Iterable[bytes]) -> Pairs:
    return [(event.data, event.name) for event in sse.decode(blocks)]


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_at_any_byte_decodes_the_same(name: str) -> None:
    text, expected = STREAMS[name]
    assert events([text] if text else []) == expected
    for at in range(1, len(text)):
        assert events([text[:at], text[at:]]) == expected, at


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_comes_byte_by_byte_decodes_the_same(name: str) -> None:
    text, expected = STREAMS[name]
    assert events(bytes([byte]) for byte in text) == expected


@pytest.mark.parametrize("size", [1000, 65_536, 10**9])
def test_lines_over_64_kilobytes_come_whole(size: int) -> None:
    long = b"x" * 200_000
    text = b"data: " + long + b"\n\ndata: after\n\n"
    assert events(text[at : at + size] for at in range(0, len(text), size)) == [(long, None), (b"after", None)]


def test_silence_passes_through_even_inside_an_event() -> None:
    found = list(sse.decode([b"data: o", b"", b"ne\n\n", b""]))
    assert [event is sse.SILENCE for event in found] == [True, False, True]
    assert found[1].data == b"one"


def test_events_come_as_soon_as_their_blank_line_is_there() -> None:
    taken: list[bytes] = []

    def blocks() -> Iterable[bytes]:
        for block in (b"data: one\n\nda", b"ta: two\r\n\r"):
            taken.append(block)
            yield block

    stream = sse.decode(blocks())
    assert (next(stream).data, len(taken)) == (b"one", 1)
    assert (next(stream).data, len(taken)) == (b"two", 2)


@pytest.mark.parametrize(
    "block", [b"data: xxxxxxxxxx", b"data: xxxxxxxxxx\n", b"xxxxxxxxxx"], ids=["one line", "lines", "no line at all"]
)
def test_an_endless_event_is_refused(block: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(UpstreamBroken, match="without end"):
        events(block for _ in range(10_000))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_how_an_event_is_cut_does_not_make_it_too_large(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    text = (b"data: " + b"x" * 80 + b"\n\n") * 3
    assert events(text[at : at + size] for at in range(0, len(text), size)) == [(b"x" * 80, None)] * 3


def test_many_events_and_comments_are_not_taken_for_an_endless_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    assert len(events([b": keep-alive\n", b"\n", b"data: x\n\n"] * 200)) == 200
    assert events([b": kee", b"p-alive\n"] * 200) == []


def test_a_long_line_in_many_pieces_takes_linear_time() -> None:
    piece, times = b"x" * 256, 65_536
    began = process_time()
    assert events([b"data: ", *[piece] * times, b"\n\n"]) == [(piece * times, None)]
    assert process_time() - began < 30, "copying what came before at each piece would take minutes of processor time"


@pytest.mark.parametrize("name", [None, "message_start"])
def test_what_is_encoded_decodes_to_the_same(name: str | None) -> None:
    assert events([sse.encode(b'{"a":"b"}', name)]) == [(b'{"a":"b"}', name)]


def test_a_keep_alive_is_no_event() -> None:
    assert events([sse.KEEP_ALIVE]) == []
