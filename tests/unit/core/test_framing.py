"""The body of an HTTP/1.1 answer is found wherever its bytes are cut."""

import pytest

from core.errors import UpstreamBroken
from core.framing import Chunked, Framing, Sized, UntilClosed, framing_of

CHUNKED = {
    "chunks": (b"5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n", b"hello, world"),
    "sizes in capitals, with zeros ahead": (b"00A\r\n0123456789\r\n0000\r\n\r\n", b"0123456789"),
    "contents that look like chunks": (b"7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", b"0\r\n\r\n0\r"),
    "extensions": (b'5;name=value;other="x"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    "blanks around the size": (b"5 \r\nhello\r\n0 ;x\r\n\r\n", b"hello"),
    "trailers": (b"5\r\nhello\r\n0\r\nChecksum: 7\r\nOther: 0\r\n\r\n", b"hello"),
    "bare line feeds": (b"5\nhello\n6\n world\n0\n\n", b"hello world"),
    "an empty body": (b"0\r\n\r\n", b""),
}


def read(framing: Framing, blocks: list[bytes]) -> bytes:
    return b"".join(framing.feed(block) for block in blocks)


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks_cut_at_any_byte_give_the_same_body(name: str) -> None:
    wire, body = CHUNKED[name]
    for at in range(len(wire) + 1):
        framing = Chunked()
        assert read(framing, [wire[:at], wire[at:]]) == body, at
        assert framing.complete, at
        assert not framing.surplus, at


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks_that_come_byte_by_byte_are_complete_with_the_last_byte_only(name: str) -> None:
    wire, body = CHUNKED[name]
    framing = Chunked()
    assert read(framing, [bytes([byte]) for byte in wire[:-1]]) == body
    assert not framing.complete
    framing.feed(wire[-1:])
    assert framing.complete


def test_what_follows_the_last_chunk_is_not_body() -> None:
    framing = Chunked()
    assert framing.feed(b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") == b"ok"
    assert framing.complete
    assert framing.surplus


def test_the_contents_of_a_chunk_are_handed_on_before_it_is_whole() -> None:
    framing = Chunked()
    assert framing.feed(b"64\r\nhello") == b"hello"


@pytest.mark.parametrize("size", [b"", b"xyz", b"-5", b"-0", b"+5", b"0x5", b"1_0", b"5 5", b"\xff", b";x"])
def test_a_size_that_is_none_is_refused(size: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Chunked().feed(size + b"\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize("wire", [b"3\r\nhello\r\n0\r\n\r\n", b"2\r\nhe5\r\n", b"2\r\nhe\r5\n0\r\n\r\n"])
def test_contents_longer_than_their_size_are_refused(wire: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        Chunked().feed(wire)


@pytest.mark.parametrize("begin", [b"", b"0\r\n", b"5\r\nhello"], ids=["size", "trailer", "line break"])
def test_an_endless_line_is_refused(begin: bytes) -> None:
    framing = Chunked()
    framing.feed(begin)
    with pytest.raises(UpstreamBroken):
        read(framing, [b" " * 1000] * 10)


@pytest.mark.parametrize("wire", [b"", b"5", b"5\r\nhel", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n"])
def test_chunks_that_end_early_are_cut_off(wire: bytes) -> None:
    framing = Chunked()
    framing.feed(wire)
    assert not framing.complete
    with pytest.raises(UpstreamBroken, match="cut off"):
        framing.end()


def test_a_body_with_a_length_ends_with_its_last_byte() -> None:
    framing = Sized(5)
    assert read(framing, [b"he", b"ll"]) == b"hell"
    assert not framing.complete
    assert framing.feed(b"o and more") == b"o"
    assert framing.complete
    assert framing.surplus


def test_a_body_of_length_zero_is_complete_at_once() -> None:
    assert Sized(0).complete


def test_a_body_shorter_than_its_length_is_cut_off() -> None:
    framing = Sized(5)
    framing.feed(b"hell")
    with pytest.raises(UpstreamBroken, match="cut off"):
        framing.end()


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    framing = UntilClosed()
    assert framing.feed(b"hello") == b"hello"
    assert not framing.complete
    framing.end()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"transfer-encoding": "chunked"}, Chunked),
        ({"transfer-encoding": "Chunked", "content-length": "5"}, Chunked),
        ({"content-length": "5"}, Sized),
        ({"content-length": " 5 "}, Sized),
        ({"content-length": "5, 5"}, Sized),
        ({}, UntilClosed),
        ({"content-length": "-1"}, UntilClosed),
        ({"content-length": "nonsense"}, UntilClosed),
        ({"content-length": "5, 6"}, UntilClosed),
    ],
)
def test_the_headers_say_how_a_body_ends(headers: dict[str, str], kind: type) -> None:
    assert type(framing_of(200, headers)) is kind


@pytest.mark.parametrize("status", [100, 204, 304])
def test_an_answer_whose_status_forbids_a_body_is_complete_at_once(status: int) -> None:
    assert framing_of(status, {}).complete
    assert framing_of(status, {"content-length": "5"}).complete
