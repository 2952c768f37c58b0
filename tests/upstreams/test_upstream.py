"""The scripted upstream does on the wire exactly what its script says."""

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.upstreams.answers import (
    DONE,
    TEXT,
    error_in_stream,
    event,
    glm_body,
    glm_error,
    glm_stream,
    glm_web_error,
    glm_web_stream,
    web_error_event,
)
from tests.upstreams.server import PATIENCE, Upstream
from tests.upstreams.steps import (
    SSE,
    AwaitClose,
    Drop,
    End,
    Events,
    Head,
    Hold,
    Pause,
    Raw,
    Send,
    empty,
    html_page,
    in_pieces,
    silent,
    stream,
    whole,
    without_last_chunk,
)
from tests.upstreams.wire import chunked, gzipped, gzipped_each

CHAT, WEB = "/api/paas/v4/chat/completions", "/api/chat/completions"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def post(upstream: Upstream, path: str = CHAT, **fields: Any) -> requests.Response:
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return requests.post(upstream.url + path, json=body, headers={"Authorization": "Bearer k.s"}, timeout=PATIENCE)


def dial(upstream: Upstream, body: bytes = b'{"model":"glm-4.6"}') -> socket.socket:
    client = socket.create_connection(("127.0.0.1", upstream.port), PATIENCE)
    client.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (CHAT.encode(), len(body), body))
    return client


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def read_until(client: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        block = client.recv(65536)
        assert block, "closed too early"
        received += block
    return received


def data_of(frames: list[bytes]) -> list[Any]:
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames if frame != DONE]


# What was asked


def test_requests_are_kept_as_they_were_received(upstream: Upstream) -> None:
    post(upstream, stream=True)
    (request,) = upstream.requests
    assert (request.method, request.path, request.bearer) == ("POST", CHAT, "k.s")
    assert request.headers["content-type"] == "application/json"
    assert request.body["stream"] is True
    assert request.disconnected_at is None


def test_a_chunked_request_body_is_understood(upstream: Upstream) -> None:
    requests.post(upstream.url + CHAT, data=iter([b'{"mod', b'el":"x"}']), timeout=PATIENCE)
    assert upstream.requests[0].body == {"model": "x"}


# Plain answers


def test_without_a_script_both_forms_and_models_are_answered(upstream: Upstream) -> None:
    assert post(upstream).json()["choices"][0]["message"]["content"] == TEXT
    assert post(upstream, stream=True).content == b"".join(glm_stream())
    assert post(upstream, WEB).content == b"".join(glm_web_stream())
    assert requests.get(upstream.url + "/api/models", timeout=PATIENCE).json()["data"]
    assert requests.get(upstream.url + "/elsewhere", timeout=PATIENCE).status_code == 404


def test_scripts_are_played_in_order_then_the_lasting_one(upstream: Upstream) -> None:
    upstream.script(html_page(503), times=None)
    upstream.script(html_page(403), times=2)
    upstream.script(html_page(405))
    assert [post(upstream).status_code for _ in range(5)] == [403, 403, 405, 503, 503]
    assert upstream.pending_scripts == 0


def test_a_script_can_be_for_one_model_only(upstream: Upstream) -> None:
    upstream.script(glm_error("1305", 429), times=None, model="glm-5")
    assert [post(upstream, model=model).status_code for model in ("glm-4.6", "glm-5")] == [200, 429]


def test_a_script_can_be_for_some_requests_only(upstream: Upstream) -> None:
    upstream.script(glm_error("1000", 401), when=lambda request: request.bearer == "k.s")
    assert post(upstream).status_code == 401
    assert post(upstream).status_code == 200


def test_a_script_can_be_computed_from_the_request(upstream: Upstream) -> None:
    upstream.behave(lambda request: whole(json.dumps(request.body["n"]).encode()))
    assert [post(upstream, n=number).json() for number in (1, 2)] == [1, 2]


def test_reset_forgets_scripts_and_requests(upstream: Upstream) -> None:
    upstream.script(html_page(503), times=None)
    post(upstream)
    upstream.reset()
    assert upstream.requests == []
    assert post(upstream).status_code == 200


# Bytes


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_a_body_cut_anywhere_on_the_wire_arrives_whole(upstream: Upstream, size: int) -> None:
    body = b"".join(glm_stream("äöü 世界"))
    upstream.script(in_pieces(body, size, sizes=(1, 2, 3)))
    assert post(upstream).content == body


def test_chunks_have_the_sizes_that_were_asked_for() -> None:
    assert chunked(b"abcdef", [1, 3]) == b"1\r\na\r\n3\r\nbcd\r\n1\r\ne\r\n1\r\nf\r\n0\r\n\r\n"


def test_each_event_is_a_chunk_of_its_own(upstream: Upstream) -> None:
    upstream.script(Head(), Events([b"data: 1\n\n", b"data: 2\n\n"]), End(), Drop())
    with dial(upstream) as client:
        _, _, body = read_all(client).partition(b"\r\n\r\n")
    assert body == b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"


@pytest.mark.parametrize("blocks", [lambda e: [gzipped(b"".join(e))], gzipped_each])
def test_a_compressed_stream_unpacks_to_the_events(upstream: Upstream, blocks: Any) -> None:
    upstream.script(stream(blocks(glm_stream()), headers={**SSE, "Content-Encoding": "gzip"}))
    assert post(upstream).content == b"".join(glm_stream())


def test_each_compressed_event_can_be_read_by_itself() -> None:
    first, *rest = gzipped_each(glm_stream())
    with pytest.raises(EOFError):
        gzip.decompress(first)
    assert gzip.decompress(b"".join([first, *rest])) == b"".join(glm_stream())


# Ends


def test_a_properly_ended_connection_is_used_again(upstream: Upstream) -> None:
    with requests.Session() as session:
        for _ in range(3):
            session.post(upstream.url + CHAT, json={"model": "m", "stream": True}, timeout=PATIENCE)
        assert upstream.accepted_connections == 1
        assert upstream.open_connections == 1
    assert upstream.wait_connections(0)


def test_a_stream_without_its_last_chunk_is_incomplete(upstream: Upstream) -> None:
    upstream.script(without_last_chunk(glm_stream(done=False)))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        post(upstream)


def test_a_body_can_end_with_the_connection(upstream: Upstream) -> None:
    upstream.script(Head(until_close=True), Send(b"data: 1\n\n"))
    assert post(upstream).content == b"data: 1\n\n"


def test_a_body_can_be_shorter_than_its_length(upstream: Upstream) -> None:
    upstream.script(Head(length=100), Raw(b"short"))
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port, timeout=PATIENCE)
    connection.request("POST", CHAT, b"{}")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_a_drop_before_the_headers_closes_in_good_order(upstream: Upstream) -> None:
    upstream.script(Drop())
    with dial(upstream) as client:
        assert read_all(client) == b""


def test_a_reset_is_a_reset(upstream: Upstream) -> None:
    upstream.script(Head(), Send(b"data: 1\n\n"), Hold(), Drop(reset=True))
    with dial(upstream) as client:
        read_until(client, b"data: 1")
        upstream.release()
        with pytest.raises(ConnectionResetError):
            read_all(client)


def test_steps_after_a_drop_are_not_played(upstream: Upstream) -> None:
    upstream.script(Drop(), Send(b"never"))
    with dial(upstream) as client:
        assert read_all(client) == b""


def test_an_empty_200_has_no_byte(upstream: Upstream) -> None:
    upstream.script(empty())
    response = post(upstream)
    assert (response.status_code, response.content) == (200, b"")


# Waiting


def test_a_hold_lets_go_when_released(upstream: Upstream) -> None:
    upstream.script(Head(), Send(b"data: 1\n\n"), Hold(), Send(b"data: 2\n\n"), Drop())
    with dial(upstream) as client:
        assert b"data: 2" not in read_until(client, b"data: 1\n\n")
        assert upstream.wait_held()
        upstream.release()
        assert b"data: 2" in read_all(client)


def test_a_release_that_comes_early_counts(upstream: Upstream) -> None:
    upstream.script(Hold(), html_page())
    upstream.release()
    assert post(upstream).status_code == 200


def test_gates_are_released_one_by_one_in_order(upstream: Upstream) -> None:
    upstream.script(Hold("a"), Drop(), times=None)
    with dial(upstream) as first:
        assert upstream.wait_held(1, "a")
        with dial(upstream) as second:
            assert upstream.wait_held(2, "a")
            upstream.release(gate="b")
            upstream.release(gate="a")
            assert read_all(first) == b""
            assert not upstream.requests[1].finished.is_set()
            upstream.release(gate="a")
            assert read_all(second) == b""


@pytest.mark.parametrize("step", [Hold(), AwaitClose(), Pause(3600)])
def test_a_client_that_leaves_while_the_upstream_waits_is_noted(upstream: Upstream, step: Any) -> None:
    upstream.script(Head(), step, html_page())
    client = dial(upstream)
    assert upstream.wait_requests(1)
    (request,) = upstream.requests
    assert not request.disconnected.is_set()
    client.close()
    assert request.disconnected.wait(PATIENCE)
    assert request.disconnected_at is not None
    assert request.disconnected_at >= request.received_at
    assert upstream.wait_connections(0)


def test_a_client_that_leaves_while_bytes_are_sent_is_noted(upstream: Upstream) -> None:
    upstream.script(Head(), *[Send(b"x" * 1_000_000)] * 100)
    dial(upstream).close()
    assert upstream.wait_requests(1)
    assert upstream.requests[0].disconnected.wait(PATIENCE)


def test_a_client_that_leaves_frees_its_place_at_the_gate(upstream: Upstream) -> None:
    upstream.script(Hold(), html_page(), times=None)
    dial(upstream).close()
    assert upstream.wait_requests(1)
    assert upstream.requests[0].finished.wait(PATIENCE)
    upstream.release()
    assert post(upstream).status_code == 200


def test_a_pause_ends_by_itself(upstream: Upstream) -> None:
    upstream.script(Pause(0.001), html_page())
    assert post(upstream).status_code == 200


def test_silence_comes_after_the_headers(upstream: Upstream) -> None:
    upstream.script(silent())
    with dial(upstream) as client:
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        assert upstream.wait_held()
    assert upstream.requests[0].disconnected.wait(PATIENCE)


def test_wait_closed_waits_for_every_exchange(upstream: Upstream) -> None:
    upstream.script(silent(), times=None)
    clients = [dial(upstream) for _ in range(20)]
    assert upstream.wait_held(20)
    assert upstream.open_connections == 20
    assert not upstream.wait_closed(timeout=0)
    for client in clients:
        client.close()
    assert upstream.wait_closed()
    assert upstream.wait_connections(0)


def test_waiting_in_vain_says_so(upstream: Upstream) -> None:
    assert not upstream.wait_requests(1, timeout=0)
    assert not upstream.wait_held(timeout=0)


# Errors and pages


def test_a_refusal_has_its_code_and_status(upstream: Upstream) -> None:
    upstream.script(glm_error("1113", 429, "no money"))
    response = post(upstream)
    assert (response.status_code, response.json()["error"]) == (429, {"code": "1113", "message": "no money"})


def test_an_error_can_hide_in_a_200(upstream: Upstream) -> None:
    upstream.script(glm_error(1302, 200))
    assert post(upstream).json()["error"]["code"] == 1302


def test_an_error_can_come_in_the_stream(upstream: Upstream) -> None:
    upstream.script(error_in_stream("1234", before=glm_stream(done=False)[:2], name="error"))
    assert b'event: error\ndata: {"error":{"code":"1234"' in post(upstream).content


def test_the_web_form_has_its_own_errors(upstream: Upstream) -> None:
    upstream.script(glm_web_error("bad token", 401))
    assert post(upstream, WEB).json() == {"detail": "bad token"}
    (frame,) = data_of([web_error_event("busy", 1)])
    assert frame["data"] == {"error": {"detail": "busy", "code": 1}, "done": True}


def test_a_page_is_html(upstream: Upstream) -> None:
    upstream.script(html_page(403))
    response = post(upstream)
    assert response.status_code == 403
    assert response.headers["Content-Type"].startswith("text/html")


# The ready-made answers


def test_a_stream_holds_what_it_was_given() -> None:
    frames = glm_stream("Hello", "Hm", [("c1", "f", '{"a":1}')], tool_stream=True, piece=2)
    assert frames[-1] == DONE
    chunks = data_of(frames)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello"
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Hm"
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a":1}'
    assert (calls[0]["id"], len(calls)) == ("c1", 5)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_usage_stands_on_the_last_chunk_or_apart_or_nowhere() -> None:
    assert data_of(glm_stream())[-1]["choices"][0]["finish_reason"] == "stop"
    assert data_of(glm_stream())[-1]["usage"]["prompt_tokens"] == 9
    assert data_of(glm_stream(usage_apart=True))[-1]["choices"] == []
    assert not any("usage" in chunk for chunk in data_of(glm_stream(usage=None)))


def test_a_body_holds_what_it_was_given() -> None:
    choice = json.loads(glm_body("Hello", "Hm", [("c1", "f", "{}")]))["choices"][0]
    assert choice["message"]["reasoning_content"] == "Hm"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("closing_edit", [True, False])
@pytest.mark.parametrize("reasoning", ["", "first\nsecond\n\nthird ü"])
def test_web_frames_build_thinking_block_and_answer(reasoning: str, closing_edit: bool) -> None:
    buffer = ""
    frames = [frame["data"] for frame in data_of(glm_web_stream("Hello ü", reasoning, closing_edit=closing_edit))]
    for frame in frames[:-1]:
        if "edit_index" in frame:
            last = frame["edit_index"] == len(buffer)
            buffer = buffer[: frame["edit_index"]] + frame["edit_content"]
        buffer += frame.get("delta_content", "")
    assert last
    block, _, answer = buffer.rpartition("\n</details>\n")
    assert answer == "Hello ü"
    assert block.endswith("> first\n> second\n> \n> third ü" if reasoning else "")
    assert block.startswith("<details " if reasoning else "")


def test_a_web_stream_can_end_in_three_ways() -> None:
    last = {ending: glm_web_stream(ending=ending)[-1] for ending in ("marker", "done", "close")}
    assert last["marker"] == event({"type": "chat:completion", "data": "[DONE]"})
    assert last["done"] == DONE
    assert b'"done":true' in last["close"]


# The upstream itself


def test_closing_refuses_new_clients_and_frees_held_ones() -> None:
    upstream = Upstream()
    upstream.script(Hold())
    with dial(upstream) as client:
        assert upstream.wait_held()
        upstream.close()
        assert read_all(client) == b""
    assert upstream.requests[0].disconnected_at is None
    with pytest.raises(ConnectionRefusedError):
        dial(upstream)


def test_an_upstream_can_come_back_on_its_port() -> None:
    with Upstream() as gone:
        post(gone)
    with Upstream(port=gone.port) as back:
        assert post(back).status_code == 200


def test_a_mistake_in_a_script_fails_the_test() -> None:
    upstream = Upstream()
    upstream.behave(lambda request: request.body["missing"])
    with pytest.raises(KeyError), upstream, dial(upstream) as client:
        read_all(client)


def test_no_thread_outlives_the_upstream() -> None:
    before = set(threading.enumerate())
    with Upstream() as upstream, dial(upstream):
        assert upstream.wait_requests(1)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
        assert not thread.is_alive()
