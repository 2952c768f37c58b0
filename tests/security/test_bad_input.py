"""Whatever is sent: a clear refusal, no traceback, and a gateway that is there for the next."""

import gzip
import socket
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

from tests.gateway import Gateway
from tests.security.wire_kit import RawAnswer, exchange, request
from tests.upstreams.server import Upstream

HI = [{"role": "user", "content": "Hi"}]
BIG = 60 * 1024 * 1024
TOOL = {"type": "function", "function": {"name": "f"}}


def saying(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.fixture(autouse=True)
def unharmed(gateway: Gateway, upstream: Upstream) -> Iterator[None]:
    """Each test leaves the gateway able to answer, with the same worker and no unexpected error in its log."""
    workers, errors = gateway.workers(), len(gateway.events("unexpected_error"))
    yield
    upstream.reset()
    assert gateway.chat().status_code == 200
    assert gateway.workers() == workers
    new = gateway.events("unexpected_error")[errors:] + gateway.events("unexpected_error_in_stream")
    assert not new, new[0]["exception"]


def refused(answer: RawAnswer, status: int = 400) -> dict[str, Any]:
    assert answer.status == status, answer
    assert b"Traceback" not in answer.body
    return answer.error


def one(gateway: Gateway, data: bytes, **options: Any) -> RawAnswer:
    answers = exchange(gateway, data, **options)
    assert len(answers) == 1, answers
    return answers[0]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"{", id="unfinished"),
        pytest.param(b'{"messages": [}', id="broken"),
        pytest.param(b"{'messages': []}", id="single quotes"),
        pytest.param(b'{"a": 1,}', id="comma too many"),
        pytest.param(b'{"a": 1} {"b": 2}', id="two values"),
        pytest.param(b'{"temperature": NaN}', id="NaN"),
        pytest.param(b'{"temperature": -Infinity}', id="Infinity"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"text"', id="string"),
        pytest.param(b"5", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="boolean"),
        pytest.param(b'{"messages": "\xff\xfe"}', id="invalid UTF-8"),
        pytest.param('{"messages": []}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"messages":[{"role":"user","content":"\\ud800"}]}', id="lone surrogate"),
        pytest.param(b'{"messages":[{"role":"user","content":"\\ud800x\\udc00"}]}', id="torn pair"),
        pytest.param(b'{"messages":[{"role":"user","content":"\x00"}]}', id="bare NUL"),
        pytest.param(b"[" * 10_000 + b"]" * 10_000, id="10,000 brackets"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="10,000 braces"),
        pytest.param(b'{"seed": ' + b"1" * 10_000 + b"}", id="10,000 digits"),
        pytest.param(b"messages=Hi&model=x", id="form"),
        pytest.param(b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--", id="multipart"),
        pytest.param(gzip.compress(b'{"messages":[{"role":"user","content":"Hi"}]}'), id="gzip unannounced"),
    ],
)
def test_what_is_no_json_object_is_refused(gateway: Gateway, upstream: Upstream, body: bytes) -> None:
    error = refused(one(gateway, request(body=body)))
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_json")
    assert not upstream.requests


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [None]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": HI, "model": 5}, "model"),
        ({"messages": HI, "model": "no-such-model"}, "model"),
        ({"messages": HI, "model": "\u0000"}, "model"),
        ({"messages": HI, "stream": "yes"}, "stream"),
        ({"messages": HI, "n": 2}, "n"),
        ({"messages": HI, "n": 0}, "n"),
        ({"messages": HI, "n": 10**400}, "n"),
        ({"messages": HI, "stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"messages": HI, "stop": [1]}, "stop[0]"),
        ({"messages": HI, "temperature": 2.5}, "temperature"),
        ({"messages": HI, "temperature": True}, "temperature"),
        ({"messages": HI, "temperature": "warm"}, "temperature"),
        ({"messages": HI, "temperature": 10**400}, "temperature"),
        ({"messages": HI, "top_p": -1}, "top_p"),
        ({"messages": HI, "max_tokens": 0}, "max_tokens"),
        ({"messages": HI, "max_tokens": 10**30}, "max_tokens"),
        ({"messages": HI, "seed": 10**4000}, "seed"),
        ({"messages": HI, "tools": {}}, "tools"),
        ({"messages": HI, "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"messages": HI, "tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
        ({"messages": HI, "tools": [TOOL] * 129}, "tools"),
        (
            {"messages": HI, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice.function.name",
        ),
        ({"messages": HI, "response_format": {"type": "xml"}}, "response_format.type"),
        ({"messages": HI, "reasoning_effort": "huge"}, "reasoning_effort"),
        (saying({"type": "image_url", "image_url": {"url": "file:///x"}}), "messages[0].content[0].image_url.url"),
        (saying({"type": "input_audio", "input_audio": {}}), "messages[0].content[0]"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/chat/completions"])
def test_a_wrong_field_is_named(gateway: Gateway, upstream: Upstream, body: Any, param: str, path: str) -> None:
    response = gateway.post(path, body)
    assert response.status_code == (404 if body.get("model") in ("no-such-model", "\u0000") else 400)
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert not upstream.requests


def test_a_mistyped_model_is_told_what_there_is(gateway: Gateway) -> None:
    response = gateway.chat(model="glm-4.66")
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == "model_not_found"
    assert "glm-4.6" in error["details"]["near"]
    assert "glm-4.6" in error["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_stream_is_refused_by_status_not_in_the_stream(gateway: Gateway, stream: bool) -> None:
    response = gateway.chat(stream=stream, n=3)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/json"


def test_of_a_key_that_stands_twice_the_last_counts(gateway: Gateway, upstream: Upstream) -> None:
    body = b'{"messages":[{"role":"user","content":"first"}],"messages":[{"role":"user","content":"last"}]}'
    assert one(gateway, request(body=body)).status == 200
    assert upstream.requests[-1].body["messages"] == [{"role": "user", "content": "last"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}]}),
        ("embeddings", {"model": "embedding-3", "input": "Hi"}),
    ],
)
def test_a_model_in_another_spelling_goes_to_no_provider(
    gateway: Gateway, upstream: Upstream, path: str, body: dict[str, Any]
) -> None:
    before = len(upstream.requests)
    refused = gateway.post(f"/v1/{path}", {**body, "MODEL": "glm-4.7"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "MODEL")
    assert len(upstream.requests) == before


def test_a_nul_in_a_text_is_a_character_like_any_other(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.chat("a\u0000b").status_code == 200
    assert upstream.requests[-1].body["messages"][0]["content"] == "a\u0000b"


def test_a_number_beyond_all_numbers_goes_to_no_provider(gateway: Gateway, upstream: Upstream) -> None:
    parameters = b'{"type":"object","maximum":1e999}'
    tools = b'[{"type":"function","function":{"name":"f","parameters":' + parameters + b"}}]"
    one(gateway, request(body=b'{"messages":[{"role":"user","content":"Hi"}],"tools":' + tools + b"}"))
    assert all(b"Infinity" not in received.raw_body for received in upstream.requests)


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "漢字", "a b", "x" * 10_000, "\u0000", ""])
@pytest.mark.parametrize("stream", [True, False])
def test_no_field_name_breaks_the_headers(gateway: Gateway, name: str, stream: bool) -> None:
    for fields in ({name: 1}, {"tools": [{"type": name}]}):
        response = gateway.chat(stream=stream, **fields)
        assert response.status_code in (200, 400)
        assert "Set-Cookie" not in response.headers
        assert len(response.headers.get("X-Gateway-Dropped", "")) < 2_000


def test_a_thousand_unknown_fields_do_not_fill_the_headers(gateway: Gateway) -> None:
    response = gateway.chat(**{f"field_{i}_{'x' * 40}": i for i in range(3_000)})
    assert response.status_code == 200
    assert len(response.headers["X-Gateway-Dropped"]) < 8_000


# Large bodies


def big_pieces() -> Iterator[bytes]:
    yield b'{"messages":[{"role":"user","content":"'
    for _ in range(BIG // 65_536):
        yield b"a" * 65_536
    yield b'"}]}'


def test_a_large_body_is_refused_so_that_the_client_sees_it(gateway: Gateway, upstream: Upstream) -> None:
    response = requests.post(f"{gateway.url}/v1/chat/completions", data=b"".join(big_pieces()), timeout=60)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert not upstream.requests


def test_a_large_body_in_chunks_is_refused_so_that_the_client_sees_it(gateway: Gateway, upstream: Upstream) -> None:
    response = requests.post(f"{gateway.url}/v1/chat/completions", data=big_pieces(), timeout=60)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert not upstream.requests


@pytest.mark.parametrize("close", [False, True])
def test_who_is_refused_ahead_of_the_body_may_send_it_all_and_sees_why(locked: Gateway, close: bool) -> None:
    data = request(headers=b"Authorization: Bearer of-nobody\r\n", body=b" " * (BIG // 2), close=close)
    assert one(locked, data, half_close=True).status == 401


def test_a_large_announcement_with_nothing_behind_it_is_refused(gateway: Gateway) -> None:
    assert refused(one(gateway, request(body=b"", length=BIG), half_close=True), 413)["code"] == "request_too_large"


MANY = 1_100_000


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[" + b"[]," * MANY + b"[]]", id="empty arrays"),
        pytest.param(b"[" + b'{"a":1},' * MANY + b"{}]", id="small objects"),
        pytest.param(b"[" + b"1.5," * MANY + b"1]", id="numbers"),
        pytest.param(b"[" + b'"\\",",[",' * (MANY // 2) + b"1]", id="texts of brackets"),
        pytest.param(b"{" + b",".join(b'"%d":1' % i for i in range(MANY)) + b"}", id="names"),
    ],
)
def test_a_body_of_a_million_values_is_refused_before_it_fills_the_memory(
    gateway: Gateway, upstream: Upstream, value: bytes
) -> None:
    before = _memory(gateway)
    answer = one(gateway, request(body=b'{"messages":[{"role":"user","content":"Hi"}],"x":' + value + b"}"))
    assert refused(answer, 413)["code"] == "request_too_large"
    assert _memory(gateway) - before < 60
    assert not upstream.requests


def test_so_many_messages_are_refused(gateway: Gateway, upstream: Upstream) -> None:
    messages = b'{"messages":[' + b",".join([b'{"role":"user","content":"Hi"}'] * 100_001) + b"]}"
    assert "objects and arrays" in refused(one(gateway, request(body=messages)), 413)["message"]
    assert not upstream.requests


def test_a_text_without_an_end_is_looked_at_once(gateway: Gateway) -> None:
    began = time.monotonic()
    answer = one(gateway, request(body=b'{"a":"' + b'\\"' * 1_000_000 + b"[" * 200_000))
    assert refused(answer)["code"] == "invalid_json"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("depth", [50, 180])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/route/explain", "/v1/conversations"])
def test_what_is_nested_deeply_is_answered_or_refused(gateway: Gateway, path: str, depth: int) -> None:
    schema: Any = {"type": "string"}
    for _ in range(depth // 2):
        schema = {"type": "object", "properties": {"a": schema}}
    tool = {"name": "f", "parameters": schema, "input_schema": schema}
    body = {
        "max_tokens": 10,
        "messages": HI,
        "metadata": {"a": schema},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "tools": [{"type": "function", "function": tool} if "chat" in path else tool],
        "items": [{"type": "message", "role": "user", "content": "Hi", "x": schema}],
    }
    assert gateway.post(path, body).status_code in (200, 400)


def test_brackets_and_commas_in_a_text_are_text(gateway: Gateway, upstream: Upstream) -> None:
    text = '[{"a": 1}, {"b\\": "\\\\"}],\n' * 60_000
    assert gateway.chat(text).status_code == 200
    assert upstream.requests[-1].body["messages"][0]["content"] == text


def _memory(gateway: Gateway) -> float:
    """What the workers hold, in MiB."""
    return sum(psutil.Process(pid).memory_info().rss for pid in gateway.workers()) / 2**20


# Methods and paths


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "FROB"])
def test_a_wrong_method_is_told_the_right_one(gateway: Gateway, method: str) -> None:
    response = requests.request(method, f"{gateway.url}/v1/chat/completions", json={}, timeout=30)
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_head_and_options_have_no_body(gateway: Gateway) -> None:
    assert one(gateway, request(b"HEAD", b"/v1/models", body=b"")).status == 200
    assert one(gateway, request(b"HEAD", body=b"")).status == 405
    options = one(gateway, request(b"OPTIONS", body=b""))
    assert (options.status, options.body) == (200, b"")
    assert "POST" in options.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1",
        b"/v1/chat",
        b"/v1/chat/completions/",
        b"/v9/chat/completions",
        b"/v1/%00",
        b"/v1/chat/completions%00",
        b"/v1/%0d%0aSet-Cookie:x=1",
        b"/v1/../../etc/passwd",
        b"/%ff%fe",
        b"/<script>alert(1)</script>",
        b"/" + b"a" * 4_000,
    ],
)
def test_a_wrong_path_is_a_404_in_our_shape(gateway: Gateway, path: bytes) -> None:
    answer = one(gateway, request(path=path))
    assert refused(answer, 404)["code"] == "not_found"
    assert answer.headers["content-type"] == "application/json"
    assert "set-cookie" not in answer.headers
    assert len(answer.body) < 2_000


@pytest.mark.parametrize("path", [b"/v1/models/%00", b"/v1/models/%ff", b"/v1/models/" + b"a" * 4_000])
def test_a_strange_model_in_a_path_is_a_404(gateway: Gateway, path: bytes) -> None:
    refused(one(gateway, request(b"GET", path, body=b"")), 404)


def test_a_doubled_slash_is_answered_or_refused_but_breaks_nothing(gateway: Gateway) -> None:
    assert one(gateway, request(path=b"//v1/chat/completions")).status in (200, 404)
    assert one(gateway, request(path=b"/v1//chat/completions")).status in (200, 400, 404)


# Headers


@pytest.mark.parametrize("value", ["loud", "", "tags,hide", "true", "\xff", "x" * 5_000])
def test_a_senseless_thinking_mode_is_refused(gateway: Gateway, upstream: Upstream, value: str) -> None:
    error = refused(one(gateway, request(headers=b"X-Thinking: " + value.encode("latin-1") + b"\r\n")))
    assert error["param"] == "X-Thinking"
    assert not upstream.requests


@pytest.mark.parametrize("value", [" Tags ", "FIELD", "hide"])
def test_a_thinking_mode_may_be_spelt_in_any_case(gateway: Gateway, value: str) -> None:
    assert one(gateway, request(headers=b"X-Thinking: " + value.encode() + b"\r\n")).status == 200


@pytest.mark.parametrize(
    "value", [b"a b", b"a%0d%0aSet-Cookie: x=1", "ünïcode".encode(), b"\xff\xfe", b"x" * 129, b"<b>", b"a\tb", b"'; --"]
)
def test_an_unusable_request_id_is_replaced(gateway: Gateway, upstream: Upstream, value: bytes) -> None:
    answer = one(gateway, request(headers=b"X-Request-ID: " + value + b"\r\n"))
    assert answer.status == 200
    assert answer.headers["x-request-id"].encode("latin-1") != value
    assert answer.headers["x-request-id"].isalnum()
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X-Request-ID: a\r\n Set-Cookie: x=1\r\n", id="folded"),
        pytest.param(b"X-Request-ID: a\rSet-Cookie: x=1\r\n", id="bare CR"),
        pytest.param(b"X-Request-ID: a\x00b\r\n", id="NUL"),
        pytest.param(b"X Y: z\r\n", id="space in a name"),
        pytest.param(b"no colon\r\n", id="no colon"),
        pytest.param(b"X-Long: " + b"a" * 50_000 + b"\r\n", id="too long"),
        pytest.param(b"".join(b"X-%d: y\r\n" % i for i in range(500)), id="too many"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", id="two lengths"),
        pytest.param(b"Content-Length: 5\r\n", id="length twice"),
    ],
)
def test_headers_that_are_none_are_refused(gateway: Gateway, upstream: Upstream, lines: bytes) -> None:
    answer = one(gateway, request(headers=lines))
    assert 400 <= answer.status < 500
    assert b"Traceback" not in answer.body
    assert "set-cookie" not in answer.headers
    assert not upstream.requests


def test_a_compressed_body_is_refused(gateway: Gateway) -> None:
    body = gzip.compress(b'{"messages":[{"role":"user","content":"Hi"}]}')
    refused(one(gateway, request(headers=b"Content-Encoding: gzip\r\n", body=body)))


@pytest.mark.parametrize("kind", [b"text/plain", b"multipart/form-data", b"application/x-www-form-urlencoded", b"\xff"])
def test_the_body_counts_and_not_what_it_is_called(gateway: Gateway, kind: bytes) -> None:
    data = request().replace(b"application/json", kind)
    assert one(gateway, data).status == 200


# The connection


@pytest.mark.parametrize("length", [100, 100_000])
def test_half_a_body_is_no_request(gateway: Gateway, upstream: Upstream, length: int) -> None:
    for body in (b'{"messages":[{"role":"us', b'{"messages":[{"role":"user","content":"Hi"}]}'):
        refused(one(gateway, request(body=body, length=length), half_close=True))
    assert not upstream.requests, "what was cut off is not acted upon, even where it can be read"


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(b"ZZ\r\n{}\r\n0\r\n\r\n", id="no size"),
        pytest.param(b"5\r\n{}", id="cut off in a chunk"),
        pytest.param(b"2\r\n{}\r\n", id="no last chunk"),
        pytest.param(b"2\r\n{}XX0\r\n\r\n", id="no line end"),
        pytest.param(b"-2\r\n{}\r\n0\r\n\r\n", id="negative size"),
        pytest.param(b"fffffffffffffffffff\r\n{}\r\n0\r\n\r\n", id="endless size"),
    ],
)
def test_broken_chunks_are_no_request(gateway: Gateway, upstream: Upstream, chunks: bytes) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answers = exchange(gateway, head + chunks, half_close=True)
    assert answers
    assert all(400 <= answer.status < 500 for answer in answers), answers
    assert not upstream.requests


def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(gateway: Gateway, upstream: Upstream) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", gateway.port), 30) as connection:
            connection.sendall(request(length=1_000))
    assert gateway.chat().status_code == 200
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 9_000])
def test_what_is_no_http_is_refused(gateway: Gateway, data: bytes) -> None:
    answers = exchange(gateway, data, half_close=True)
    assert all(400 <= answer.status < 500 for answer in answers)


def test_http_1_0_is_answered(gateway: Gateway) -> None:
    assert one(gateway, request(version=b"HTTP/1.0", close=False)).status == 200


def test_pipelined_requests_are_answered_in_order(gateway: Gateway, upstream: Upstream) -> None:
    first, second = (
        request(headers=b"X-Request-ID: %b\r\n" % name, close=name == b"second") for name in (b"first", b"second")
    )
    bad = request(headers=b"X-Request-ID: bad\r\n", body=b"{", close=False)
    answers = exchange(gateway, first + bad + second)
    assert [answer.headers["x-request-id"] for answer in answers] == ["first", "bad", "second"]
    assert [answer.status for answer in answers] == [200, 400, 200]
