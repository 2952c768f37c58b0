"""Chat over real HTTP: both endpoints, streamed and not, with everything a request may ask for."""

import pytest

from tests.gateway import Gateway, chunks_of, data_of, text_of
from tests.upstreams.answers import TEXT, glm_body, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import in_pieces, stream, whole

REASONING = "Let me see…\nYes."


@pytest.mark.parametrize(
    ("version", "mode", "content", "reasoning"),
    [
        ("v1", None, f"<think>{REASONING}</think>\n\n{TEXT}", None),
        ("v2", None, TEXT, None),
        ("v2", "tags", f"<think>{REASONING}</think>\n\n{TEXT}", None),
        ("v1", "field", TEXT, REASONING),
        ("v1", "hide", TEXT, None),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_is_shown_as_endpoint_and_header_say(
    gateway: Gateway, upstream: Upstream, version: str, mode: str | None, content: str, reasoning: str | None,
    streamed: bool,
) -> None:  # fmt: skip
    upstream.script(stream(glm_stream(reasoning=REASONING)))
    response = gateway.chat(version=version, headers={"X-Thinking": mode} if mode else None, stream=streamed)
    assert response.status_code == 200
    if streamed:
        chunks = chunks_of(response)
        assert text_of(chunks) == content
        assert (text_of(chunks, "reasoning_content") or None) == reasoning
    else:
        message = response.json()["choices"][0]["message"]
        assert message["content"] == content
        assert message.get("reasoning_content") == reasoning


def test_a_stream_is_well_formed_to_the_last_byte(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream(reasoning=REASONING)))
    response = gateway.chat(stream=True, stream_options={"include_usage": True}, model="glm-4.6")
    data = list(data_of(response))
    assert data[-1] == "[DONE]"
    assert response.headers["Content-Type"].startswith("text/event-stream")
    upstream.script(stream(glm_stream(reasoning=REASONING)))
    chunks = chunks_of(gateway.chat(stream=True, stream_options={"include_usage": True}, model="glm-4.6"))
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"
    assert chunks[0]["model"] == "glm-4.6"
    assert [c["choices"][0]["delta"].get("role") for c in chunks if c["choices"]].count("assistant") == 1
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 21
    assert all(c["usage"] is None for c in chunks[:-1])
    assert [c["choices"][0]["finish_reason"] for c in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]


def test_usage_is_hidden_from_a_stream_that_did_not_ask(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream()))
    assert all("usage" not in chunk for chunk in chunks_of(gateway.chat(stream=True)))


@pytest.mark.parametrize("size", [1, 3])
def test_a_stream_cut_at_every_byte_reads_the_same(embedded: Gateway, upstream: Upstream, size: int) -> None:
    events = b"".join(glm_stream("naïve 世界 👩‍👩‍👧", reasoning="déjà\nvu"))
    for sizes in ((1,), (7, 2, 31)):
        upstream.script(in_pieces(events, size, sizes=sizes))
        chunks = chunks_of(embedded.chat(stream=True))
        assert text_of(chunks) == "<think>déjà\nvu</think>\n\nnaïve 世界 👩‍👩‍👧"


def test_an_answer_in_one_json_piece_serves_a_stream_too(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(whole(glm_body("whole", reasoning="r")))
    assert text_of(chunks_of(gateway.chat(stream=True))) == "<think>r</think>\n\nwhole"


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_tool_calls_come_out_whole(gateway: Gateway, upstream: Upstream, streamed: bool) -> None:
    calls = [("call_a", "weather", '{"city":"Köln"}'), ("call_b", "time", '{"zone":"CET"}')]
    upstream.script(stream(glm_stream("", "", calls, tool_stream=True, piece=3)))
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("weather", "time")]
    response = gateway.chat(tools=tools, stream=streamed, model="glm-4.6")
    sent = upstream.requests[-1].body
    assert sent["stream"] is True, "a whole answer is the fold of a stream"
    assert sent.get("tool_stream") is (True if streamed else None)
    if not streamed:
        choice = response.json()["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        got = [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in choice["message"]["tool_calls"]]
        assert got == calls
        return
    chunks = chunks_of(response)
    deltas = [d for c in chunks for ch in c["choices"] for d in ch["delta"].get("tool_calls", [])]
    assert [(d["index"], d["id"], d["type"]) for d in deltas if "id" in d] == [
        (0, "call_a", "function"),
        (1, "call_b", "function"),
    ]
    for index, call in enumerate(calls):
        assert "".join(d["function"]["arguments"] for d in deltas if d["index"] == index) == call[2]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_what_glm_does_not_know_is_mapped_or_named(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream()))
    response = gateway.post(
        "/v1/chat/completions",
        {
            "model": "glm-4.6",
            "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "temperature": 1.7,
            "max_completion_tokens": 50,
            "stop": ["END"],
            "user": "someone-long",
            "logprobs": True,
            "presence_penalty": 1,
            "unknown_field": 1,
        },
    )
    assert response.status_code == 200, response.text
    sent = upstream.requests[-1].body
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["temperature"] == 1
    assert sent["max_tokens"] == 50
    assert sent["stop"] == ["END"]
    assert sent["user_id"] == "someone-long"
    assert not {"logprobs", "presence_penalty", "unknown_field", "max_completion_tokens", "user"} & set(sent)
    dropped = set(response.headers["X-Gateway-Dropped"].split(", "))
    assert {"logprobs", "presence_penalty", "unknown_field"} <= dropped


@pytest.mark.parametrize("streamed", [False, True])
def test_stop_words_beyond_the_first_are_emulated(gateway: Gateway, upstream: Upstream, streamed: bool) -> None:
    upstream.script(stream(glm_stream("one two HALT three", piece=1)))
    response = gateway.chat(version="v2", stop=["never", "HALT"], stream=streamed)
    content = text_of(chunks_of(response)) if streamed else response.json()["choices"][0]["message"]["content"]
    assert content == "one two "
    assert upstream.wait_closed()


def test_the_default_model_is_used_and_named(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream()))
    response = gateway.chat()
    assert response.json()["model"] == "0727-360B-API"
    assert upstream.requests[-1].body["model"] == "glm-4.5"
    assert response.headers["X-Gateway-Provider"] == "glm"
    assert response.headers["X-Gateway-Upstream-Model"] == "glm-4.5"
    assert response.headers["X-Gateway-Attempts"] == "1"


def test_missing_usage_is_counted_and_marked(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream("one two three", usage=None)))
    usage = gateway.chat().json()["usage"]
    assert usage["estimated"] is True
    assert usage["completion_tokens"] > 0
    assert usage["prompt_tokens"] > 0


def test_models_list_what_is_routable_with_limits_and_prices(gateway: Gateway) -> None:
    for version in ("v1", "v2"):
        data = gateway.get(f"/{version}/models").json()
        assert data["object"] == "list"
        entries = {entry["id"]: entry for entry in data["data"]}
        assert {"glm-4.6", "0727-360B-API"} <= set(entries)
        assert entries["glm-4.6"]["context_length"] == 204800
        assert entries["glm-4.6"]["pricing"]["input"] == 0.6
        assert "zero" not in entries, "the web site's own models need a web token"
    one = gateway.get("/v1/models/0727-360B-API").json()
    assert one["id"] == "0727-360B-API"
    assert one["alias_of"] == "glm-4.5"
    missing = gateway.get("/v1/models/a/b")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"


def test_the_request_id_goes_all_the_way(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream()))
    response = gateway.chat(headers={"X-Request-ID": "trace-me-1"})
    assert response.headers["X-Request-ID"] == "trace-me-1"
    assert upstream.requests[-1].body["request_id"].startswith("trace-me-1")
    assert gateway.wait_event("request", request_id="trace-me-1")["status"] == 200
