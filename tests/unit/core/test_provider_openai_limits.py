"""What the headers of OpenAI's kind say of limits, and what its embeddings are."""

import struct
from base64 import b64encode

import pytest

from core.errors import UpstreamBroken
from core.providers.openai_embeddings import read_embeddings
from core.providers.openai_limits import read_limits, seconds
from schemas.codec import dumps
from schemas.embedding import Embeddings
from schemas.limit import LimitReading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.64s", 8.64),
        ("6m0s", 360.0),
        ("17ms", 0.017),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("1d", 86_400.0),
        ("12", 12.0),
        ("", None),
        ("soon", None),
        ("-1s", None),
        ("1s!", None),
    ],
)
def test_durations_are_read_as_go_writes_them(text: str, expected: float | None) -> None:
    assert seconds(text) == (None if expected is None else pytest.approx(expected))


def test_each_limit_is_read_with_what_is_left_and_when_it_is_whole() -> None:
    headers = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "odd",
    }
    assert read_limits(headers, 100.0) == (
        LimitReading("requests", 60, 59, 101.0),
        LimitReading("tokens", 150_000, None, None),
    )
    assert read_limits({}, 100.0) == ()


def test_vectors_come_in_the_order_of_the_inputs_however_they_are_written() -> None:
    packed = b64encode(struct.pack("<2f", 0.5, -2.0)).decode()
    rows = [{"index": 1, "embedding": [1, 2.5]}, {"index": 0, "embedding": packed}]
    body = dumps({"data": rows, "usage": {"prompt_tokens": 4}})
    assert read_embeddings(body) == Embeddings(((0.5, -2.0), (1.0, 2.5)), 4)
    assert read_embeddings(dumps({"data": []})).prompt_tokens is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":5}', b'{"data":[{"embedding":"???"}]}', b'{"data":[5]}'])
def test_what_is_no_list_of_vectors_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        read_embeddings(body)
