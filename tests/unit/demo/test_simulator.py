"""The simulator speaks both wire forms of GLM."""

import re
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from demo.faults import CODES
from demo.simulator import Simulator
from schemas.codec import loads

PLATFORM, WEB = "/api/paas/v4/chat/completions", "/api/chat/completions"
BEARER = {"Authorization": "Bearer any.key"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"properties": {"city": {}}}}}


@pytest.fixture
def client() -> Client:
    return Client(Simulator(now=lambda: 1_795_200_000.0))


def post(client: Client, path: str = PLATFORM, text: str = "Hi", **fields: Any) -> TestResponse:
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": text}], **fields}
    return client.post(path, json=body, headers=BEARER)


def events(response: TestResponse) -> list[Any]:
    frames = response.get_data().split(b"\n\n")
    assert frames.pop() == b""
    assert all(frame.startswith(b"data: ") for frame in frames)
    return [frame[6:] if frame == b"data: [DONE]" else loads(frame[6:]) for frame in frames]


def test_a_completion_has_the_fields_of_the_open_platform(client: Client) -> None:
    body = post(client).get_json()
    assert {"id", "request_id", "created", "model", "choices", "usage"} == set(body)
    assert body["model"] == "glm-4.6"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert set(body["choices"][0]["message"]) == {"role", "content", "reasoning_content"}


def test_usage_counts_add_up(client: Client) -> None:
    usage = post(client).get_json()["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]


def test_a_stream_brings_thinking_then_text_then_usage_with_the_reason(client: Client) -> None:
    *chunks, done = events(post(client, stream=True))
    assert done == b"[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    kinds = ["reasoning" if "reasoning_content" in delta else "text" for delta in deltas]
    assert kinds == sorted(kinds)
    assert [index for index, chunk in enumerate(chunks) if "usage" in chunk] == [len(chunks) - 1]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_says_what_the_whole_answer_says(client: Client) -> None:
    whole = post(client).get_json()["choices"][0]["message"]
    deltas = [chunk["choices"][0]["delta"] for chunk in events(post(client, stream=True))[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == whole["content"]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == whole["reasoning_content"]


@pytest.mark.parametrize(("tool_stream", "parts"), [(False, 1), (True, 10)])
def test_a_tool_call_is_streamed_in_pieces_only_when_asked(client: Client, tool_stream: bool, parts: int) -> None:
    chunks = events(post(client, text="weather in Oslo", stream=True, tools=[TOOL], tool_stream=tool_stream))[:-1]
    deltas = [chunk["choices"][0]["delta"].get("tool_calls", [None])[0] for chunk in chunks]
    calls = [delta for delta in deltas if delta]
    assert calls[0]["function"]["name"] == "get_weather"
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city":"Oslo"}'
    assert [index for index, call in enumerate(calls) if "id" in call] == [0]
    assert len(calls) == parts
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_repeated_prompt_is_read_from_the_cache(client: Client) -> None:
    first, second = (post(client).get_json()["usage"] for _ in range(2))
    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["prompt_tokens_details"]["cached_tokens"] == second["prompt_tokens"]


def test_the_web_form_streams_with_one_end_mark(client: Client) -> None:
    frames = events(post(client, WEB))
    assert frames[0]["data"]["phase"] == "thinking"
    assert [frame for frame in frames if frame["data"] == "[DONE]"] == [frames[-1]]


@pytest.mark.parametrize("path", [PLATFORM, WEB])
def test_without_a_bearer_token_the_answer_is_401(client: Client, path: str) -> None:
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer "}):
        assert client.post(path, json={}, headers=headers).status_code == 401
    assert client.get(path.replace("chat/completions", "models")).status_code == 401


def test_a_missing_token_has_code_1001(client: Client) -> None:
    assert client.post(PLATFORM, json={}).get_json()["error"]["code"] == "1001"


@pytest.mark.parametrize("code", CODES)
def test_every_error_can_be_asked_for(client: Client, code: str) -> None:
    response = post(client, text=f"please simulate error {code}")
    assert response.status_code >= 400
    error = response.get_json()["error"]
    assert error["code"] == code
    assert "{" not in error["message"]


def test_a_used_up_window_says_when_it_opens_in_china_time(client: Client) -> None:
    message = post(client, text="simulate error 1308").get_json()["error"]["message"]
    assert re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", message) == ["2026-11-21 07:40:00"]


def test_the_web_form_tells_errors_as_detail(client: Client) -> None:
    response = post(client, WEB, text="simulate error 1302")
    assert response.status_code == 429
    assert isinstance(response.get_json()["detail"], str)


def test_a_code_that_glm_does_not_have_is_answered(client: Client) -> None:
    assert post(client, text="simulate error 9999").status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("model", "", "1213"),
        ("messages", [], "1213"),
        ("messages", [{"role": "developer", "content": "x"}], "1214"),
        ("messages", [{"role": "system", "content": "x"}], "1214"),
        ("thinking", True, "1210"),
        ("temperature", 1.5, "1210"),
        ("top_p", 0, "1210"),
        ("max_tokens", 0, "1210"),
        ("stop", "x", "1210"),
        ("user_id", "short", "1210"),
        ("request_id", "12345", "1210"),
    ],
)
def test_what_glm_refuses_is_refused(client: Client, field: str, value: Any, code: str) -> None:
    response = post(client, **{field: value})
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b""])
@pytest.mark.parametrize("path", [PLATFORM, WEB])
def test_a_broken_body_is_a_400(client: Client, path: str, data: bytes) -> None:
    assert client.post(path, data=data, headers=BEARER).status_code == 400


def test_models_are_listed_in_both_forms(client: Client) -> None:
    platform = client.get("/api/paas/v4/models", headers=BEARER).get_json()
    web = client.get("/api/models", headers=BEARER).get_json()
    assert "glm-4.6" in [model["id"] for model in platform["data"]]
    assert "0727-360B-API" in [model["id"] for model in web["data"]]


@pytest.mark.parametrize(("method", "path"), [("GET", PLATFORM), ("POST", "/api/paas/v1/chat/completions")])
def test_an_unknown_route_is_404(client: Client, method: str, path: str) -> None:
    assert client.open(path, method=method, headers=BEARER).status_code == 404
