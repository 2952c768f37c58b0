"""The chat website as the only provider, over real HTTP: what its frames, its edits and its refusals become."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openai import OpenAI

from tests.gateway import Gateway, chunks_of, data_of, text_of
from tests.integration.conftest import FAST, rest
from tests.upstreams.answers import TEXT, event, glm_web_error, glm_web_stream, web_error_event
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, End, Events, Head, Hold, Step, empty, html_page, in_pieces, stream

TOKENS = ["web-token-1", "web-token-2"]
REASONING = "Let me see…\nYes."
WRAPPED = f"<think>{REASONING}</think>\n\n{TEXT}"
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def running(upstream: Upstream, directory: Path, **more: str) -> Gateway:
    """A gateway in `directory` that knows nothing but the site and two of its tokens."""
    (directory / "token.json").write_text(json.dumps(TOKENS))
    endpoint = f"{upstream.url}/api/chat/completions"
    return Gateway(directory, **{"GLM_WEB_ENDPOINT": endpoint, **FAST, **more})


@pytest.fixture(scope="module")
def shared_web(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all tests of the module."""
    with running(provider, tmp_path_factory.mktemp("web")) as gateway:
        yield gateway


@pytest.fixture
def web(shared_web: Gateway) -> Iterator[Gateway]:
    """The same, with every token reset afterwards."""
    yield shared_web
    rest(shared_web)


def said(response: requests.Response, streamed: bool) -> tuple[str, str]:
    """Content and reasoning of an answer."""
    assert response.status_code == 200, response.text
    if streamed:
        chunks = chunks_of(response)
        return text_of(chunks), text_of(chunks, "reasoning_content")
    message = response.json()["choices"][0]["message"]
    return message["content"], message.get("reasoning_content") or ""


def frame(**inner: Any) -> bytes:
    """One frame of the site."""
    return event({"type": "chat:completion", "data": inner})


# Answers


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("closing_edit", [True, False])
@pytest.mark.parametrize(
    ("version", "mode", "content", "reasoning"),
    [("v1", None, WRAPPED, ""), ("v2", None, TEXT, ""), ("v1", "field", TEXT, REASONING)],
)
def test_thinking_and_answer_are_told_apart_with_and_without_the_closing_edit(
    web: Gateway, upstream: Upstream, version: str, mode: str | None, content: str, reasoning: str, closing_edit: bool,
    streamed: bool,
) -> None:  # fmt: skip
    upstream.script(stream(glm_web_stream(reasoning=REASONING, closing_edit=closing_edit)))
    response = web.chat(version=version, headers={"X-Thinking": mode} if mode else None, stream=streamed)
    assert said(response, streamed) == (content, reasoning)
    assert response.headers["X-Gateway-Provider"] == "glm-web"


@pytest.mark.parametrize("ending", ["marker", "done", "close"])
@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_cut_anywhere_reads_the_same(web: Gateway, upstream: Upstream, size: int, ending: str) -> None:
    frames = glm_web_stream("naïve 世界 👩‍👩‍👧", "déjà\nvu", ending=ending)
    upstream.script(in_pieces(b"".join(frames), size, sizes=(7, 2, 31)))
    data = list(data_of(web.chat(stream=True)))
    assert data[-1] == "[DONE]"
    assert text_of([json.loads(entry) for entry in data[:-1]]) == "<think>déjà\nvu</think>\n\nnaïve 世界 👩‍👩‍👧"


@pytest.mark.parametrize("streamed", [False, True])
def test_plain_edits_replace_what_follows_their_index(web: Gateway, upstream: Upstream, streamed: bool) -> None:
    parts = [
        frame(phase="answer", delta_content="One"),
        frame(phase="answer", edit_index=3, edit_content=" two"),
        frame(phase="answer", edit_index=0, edit_content="One two three"),
        frame(phase="answer", delta_content=" four"),
    ]
    upstream.script(stream([*parts, *glm_web_stream("")]))
    assert said(web.chat(stream=streamed), streamed) == ("One two three four", "")


@pytest.mark.parametrize(
    ("asked", "sent"), [(None, "0727-360B-API"), ("glm-4.5", "0727-360B-API"), ("glm-4.6", "GLM-4-6-API-V1")]
)
def test_a_model_goes_out_under_its_id_at_the_site(
    web: Gateway, upstream: Upstream, asked: str | None, sent: str
) -> None:
    response = web.chat("What?", **({"model": asked} if asked else {}))
    assert response.json()["model"] == (asked or "0727-360B-API")
    request = upstream.requests[-1]
    assert request.path == "/api/chat/completions"
    assert request.bearer in TOKENS
    assert (request.body["model"], request.body["stream"]) == (sent, True)
    assert request.body["messages"] == [{"role": "user", "content": "What?"}]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_block_that_calls_the_clients_tool_becomes_a_tool_call(
    web: Gateway, upstream: Upstream, streamed: bool
) -> None:
    inner = {"data": {"metadata": {"id": "call_1", "arguments": '{"city":"Köln"}'}}}
    block = f'<glm_block tool_call_name="weather">{json.dumps(inner, ensure_ascii=False)}</glm_block>'
    other = f'<glm_block tool_call_name="search">{json.dumps(inner).replace("call_1", "call_2")}</glm_block>'
    calls = [frame(phase="tool_call", delta_content=part) for part in (other, block[:20], block[20:])]
    upstream.script(stream([frame(phase="answer", delta_content="So: "), *calls, *glm_web_stream("")]))
    response = web.chat(tools=TOOLS, stream=streamed)
    if streamed:
        chunks = chunks_of(response)
        content, reason = text_of(chunks), chunks[-1]["choices"][0]["finish_reason"]
        found = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    else:
        choice = response.json()["choices"][0]
        content, reason, found = choice["message"]["content"], choice["finish_reason"], choice["message"]["tool_calls"]
    assert (content, reason) == ("So: ", "tool_calls")
    assert [(call["id"], call["function"]) for call in found] == [
        ("call_1", {"name": "weather", "arguments": '{"city":"Köln"}'})
    ]
    assert upstream.requests[-1].body["tools"] == TOOLS


def test_the_openai_sdk_reads_a_stream(web: Gateway, upstream: Upstream) -> None:
    upstream.script(stream(glm_web_stream(reasoning=REASONING)))
    with OpenAI(base_url=f"{web.url}/v1", api_key="any", max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model="0727-360B-API",
                messages=[{"role": "user", "content": "Hi"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == WRAPPED
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 12)


# Refusals


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("form", ["frame", "http"])
@pytest.mark.parametrize(
    ("detail", "status", "code"),
    [
        ("MODEL_CONCURRENCY_LIMIT: busy", 503, "overloaded"),
        ("FRONTEND_CAPTCHA_REQUIRED: verify", 403, "upstream_human_check"),
    ],
)
def test_a_refusal_that_another_token_cannot_help_is_asked_for_once(
    web: Gateway, upstream: Upstream, detail: str, status: int, code: str, form: str, streamed: bool
) -> None:
    refusal = stream([web_error_event(detail, 400)]) if form == "frame" else glm_web_error(detail, 400)
    upstream.script(refusal, times=None)
    response = web.chat(stream=streamed)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert len(upstream.requests) == 1, "the other token is not tried"


@pytest.mark.parametrize(
    ("upstream_status", "status", "code", "detail"),
    [
        (401, 502, "upstream_unauthorized", "Your session has expired"),
        (429, 429, "rate_limit_exceeded", "Too many requests"),
    ],
)
def test_what_the_site_refuses_over_http_is_told_as_it_says_it(
    web: Gateway, upstream: Upstream, upstream_status: int, status: int, code: str, detail: str
) -> None:
    upstream.script(glm_web_error(detail, upstream_status), times=None)
    response = web.chat()
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert detail in error["message"]
    assert sorted(request.bearer for request in upstream.requests) == TOKENS, "each token is tried once"


@pytest.mark.parametrize("status", [200, 405])
def test_a_web_page_in_place_of_an_answer_is_a_refusal(web: Gateway, upstream: Upstream, status: int) -> None:
    upstream.script(html_page(status), times=None)
    response = web.chat()
    assert (response.status_code, response.json()["error"]["code"]) == (403, "upstream_forbidden")
    assert "sent a web page" in response.json()["error"]["message"]
    assert "Checking your browser" not in response.text
    assert len(upstream.requests) == 2, "each token is tried once"


# Faults


def test_a_stall_ends_in_a_timeout(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script([Head(), Hold()], times=None)
    with running(upstream, tmp_path, GLM_TIMEOUT="0.5", GATEWAY__RETRY__MAX_ATTEMPTS="1") as impatient:
        response = impatient.chat()
        assert (response.status_code, response.json()["error"]["code"]) == (504, "upstream_timeout")
        assert upstream.requests[0].disconnected.wait(10), "the site's connection is closed"


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        pytest.param([Drop()], "upstream_broken", id="closed"),
        pytest.param([Drop(reset=True)], "upstream_broken", id="reset"),
        pytest.param([End()], "upstream_broken", id="ended without a word"),
        pytest.param([Events([web_error_event("boom", 500)]), End()], "upstream_server_error", id="error frame"),
    ],
)
def test_a_fault_in_the_middle_ends_with_one_error_event(
    web: Gateway, upstream: Upstream, tail: list[Step], code: str
) -> None:
    upstream.script([Head(), Events(glm_web_stream(reasoning=REASONING)[:8]), Hold("middle"), *tail])
    response = web.chat(stream=True)
    upstream.release(gate="middle")  # the status has come, so the first content has
    data = list(data_of(response))
    assert [entry for entry in data if '"error":{' in entry] == data[-1:]
    assert json.loads(data[-1])["error"]["code"] == code
    assert len(upstream.requests) == 1, "what the client has seen is never started anew"


def test_a_silent_200_is_tried_again_with_the_second_token(web: Gateway, upstream: Upstream) -> None:
    upstream.script(empty())
    upstream.script(stream(glm_web_stream("second try")))
    response = web.chat()
    assert said(response, streamed=False) == ("second try", "")
    assert response.headers["X-Gateway-Attempts"] == "2"
    assert sorted(request.bearer for request in upstream.requests) == TOKENS
