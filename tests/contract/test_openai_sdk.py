"""The official OpenAI SDK against the running gateway."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from tests.gateway import Gateway
from tests.upstreams.answers import TEXT, error_event, glm_body, glm_error, glm_stream
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, End, Events, Head, Hold, empty, stream, whole

KEYS = {"admin": "admin-key-1", "user": "user-key-1"}
SETTINGS = {
    "GLM_API_KEY": "id.secret",
    "GATEWAY_API_KEYS": ",".join(f"{role}:{key}:{role}" for role, key in KEYS.items()),
    "GATEWAY__RETRY__MAX_ATTEMPTS": "1",
    "GATEWAY__STREAM__KEEP_ALIVE": "0.2",
    "GATEWAY__TOKENS__ERROR_THRESHOLD": "1000",
    "GATEWAY__TOKENS__MAX_ERRORS": "1000",
}
"""No second tries of the gateway's own, short waits, and no memory of the failures that tests cause on purpose."""
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]
MODEL = "glm-4.6"
VISION = "glm-4.6v"
REASONING = "Let me see."
CALLS = [("call_a", "weather", '{"city":"Köln"}'), ("call_b", "clock", '{"zone":"CET"}')]
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock")
]

MakeClient = Callable[..., OpenAI]


class Weather(BaseModel):
    """What the model is to answer."""

    city: str
    degrees: int


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """The simulated provider of a module's tests."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(provider: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker with a key for an admin and one for a user."""
    endpoint = f"{provider.url}/api/paas/v4/chat/completions"
    with Gateway(tmp_path_factory.mktemp("contract"), GLM_ENDPOINT=endpoint, **SETTINGS) as running:
        yield running


@pytest.fixture
def upstream(provider: Upstream, gateway: Gateway) -> Upstream:
    """The provider without memory of the test before, and every token usable again."""
    provider.reset()
    admin = {"Authorization": f"Bearer {KEYS['admin']}"}
    for token in gateway.get("/v1/tokens", headers=admin).json()["data"]:
        gateway.post(f"/v1/tokens/{token['id']}/reset", None, headers=admin)
    return provider


@pytest.fixture
def make_client(gateway: Gateway) -> Iterator[MakeClient]:
    """Makes clients: `version` is the part of the address that chooses how thinking is shown."""
    made: list[OpenAI] = []

    def make(version: str = "v1", key: str = KEYS["user"], max_retries: int = 0) -> OpenAI:
        made.append(OpenAI(base_url=f"{gateway.url}/{version}", api_key=key, max_retries=max_retries, timeout=30))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: MakeClient, upstream: Upstream) -> OpenAI:
    """The SDK as an ordinary user has it, without its own retries, in front of a provider at rest."""
    return make_client()


# Answers


def test_an_answer(client: OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HI)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 12, 21)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4


def test_a_stream(client: OpenAI, upstream: Upstream) -> None:
    with client.chat.completions.create(model=MODEL, messages=HI, stream=True) as chunks:
        seen = list(chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in seen) == TEXT
    assert seen[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in seen if chunk.choices[0].finish_reason] == ["stop"]
    assert {(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in seen} == {
        (seen[0].id, seen[0].created, MODEL, "chat.completion.chunk")
    }
    assert all(chunk.usage is None for chunk in seen)


def test_usage_in_a_stream(client: OpenAI, upstream: Upstream) -> None:
    options: Any = {"include_usage": True}
    *before, last = client.chat.completions.create(model=MODEL, messages=HI, stream=True, stream_options=options)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 21
    assert all(chunk.usage is None for chunk in before)


def test_the_streaming_helper(client: OpenAI, upstream: Upstream) -> None:
    with client.chat.completions.stream(model=MODEL, messages=HI, stream_options={"include_usage": True}) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert final.choices[0].message.content == TEXT
    assert final.usage is not None
    assert final.usage.total_tokens == 21
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)


def test_keep_alives_are_not_seen_by_the_sdk(client: OpenAI, upstream: Upstream) -> None:
    upstream.script([Hold(), Head(), Events(glm_stream("late")), End()])
    chunks = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    assert chunks.response.status_code == 200, "which is sent with the first keep-alive"
    upstream.release()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "late"


def test_a_stream_that_the_client_closes_is_closed_upstream(client: OpenAI, upstream: Upstream) -> None:
    upstream.script([Head(), Events(glm_stream("half")[:1]), Hold()])
    chunks = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    next(iter(chunks))
    chunks.close()
    assert upstream.wait_closed()
    assert upstream.requests[-1].disconnected.is_set()


# Thinking


def thinking_of(client: OpenAI, upstream: Upstream, mode: str | None, *, streamed: bool) -> tuple[str, str | None]:
    upstream.script(stream(glm_stream("Yes.", REASONING)))
    headers = {"X-Thinking": mode} if mode else {}
    if not streamed:
        message = client.chat.completions.create(model=MODEL, messages=HI, extra_headers=headers).choices[0].message
        return message.content or "", getattr(message, "reasoning_content", None)
    chunks = client.chat.completions.create(model=MODEL, messages=HI, stream=True, extra_headers=headers)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    return "".join(delta.content or "" for delta in deltas), reasoning or None


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("version", "mode", "content", "reasoning"),
    [
        ("v1", None, f"<think>{REASONING}</think>\n\nYes.", None),
        ("v2", None, "Yes.", None),
        ("v1", "field", "Yes.", REASONING),
        ("v1", "hide", "Yes.", None),
        ("v2", "tags", f"<think>{REASONING}</think>\n\nYes.", None),
    ],
)
def test_thinking_is_shown_as_address_and_header_say(
    make_client: MakeClient, upstream: Upstream, version: str, mode: str | None, content: str, reasoning: str | None,
    streamed: bool,
) -> None:  # fmt: skip
    assert thinking_of(make_client(version), upstream, mode, streamed=streamed) == (content, reasoning)


def test_an_answers_reasoning_can_be_sent_back(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream("Yes.", REASONING)))
    headers = {"X-Thinking": "field"}
    answer = client.chat.completions.create(model=MODEL, messages=HI, extra_headers=headers)
    history: Any = [*HI, answer.choices[0].message.model_dump(), {"role": "user", "content": "Sure?"}]
    assert client.chat.completions.create(model=MODEL, messages=history).choices[0].message.content == TEXT


@pytest.mark.parametrize("body", [{"thinking": {"type": "disabled"}}, {"enable_thinking": False}])
def test_extra_body_steers_thinking(client: OpenAI, upstream: Upstream, body: dict[str, Any]) -> None:
    client.chat.completions.create(model=MODEL, messages=HI, extra_body=body)
    assert upstream.requests[-1].body["thinking"]["type"] == "disabled"


# Tools, images, schemas


def test_parallel_tool_calls_and_their_results(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream("", "", CALLS)))
    answer = client.chat.completions.create(model=MODEL, messages=HI, tools=TOOLS, parallel_tool_calls=True)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    calls = choice.message.tool_calls or []
    got = [(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"]
    assert got == CALLS
    results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in calls]
    history: Any = [*HI, choice.message, *results]
    assert client.chat.completions.create(model=MODEL, messages=history, tools=TOOLS).choices[0].message.content == TEXT
    sent = upstream.requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[1]["tool_calls"]] == ["call_a", "call_b"]


@pytest.mark.parametrize("piece", [1, 5, 100])
def test_tool_calls_in_a_stream(client: OpenAI, upstream: Upstream, piece: int) -> None:
    upstream.script(stream(glm_stream("", "", CALLS, tool_stream=True, piece=piece)))
    with client.chat.completions.stream(model=MODEL, messages=HI, tools=TOOLS) as events:
        done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
        final = events.get_final_completion()
    assert [(event.index, event.name, event.arguments) for event in done] == [
        (index, name, arguments) for index, (_, name, arguments) in enumerate(CALLS)
    ]
    calls = final.choices[0].message.tool_calls or []
    assert [(call.id, call.function.name, call.function.arguments) for call in calls] == CALLS
    assert final.choices[0].finish_reason == "tool_calls"


def test_an_image(client: OpenAI, upstream: Upstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    messages: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]
    assert client.chat.completions.create(model=VISION, messages=messages).choices[0].message.content == TEXT
    assert upstream.requests[-1].body["messages"][0]["content"][1]["image_url"]["url"] == "https://example.org/cat.png"


def test_an_image_for_a_model_that_cannot_see_is_refused_by_name(client: OpenAI, upstream: Upstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [image]}])  # type: ignore[list-item]
    assert caught.value.param == "messages[0].content[0]"


def test_an_answer_parsed_into_a_model(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(whole(glm_body('{"city":"Köln","degrees":7}')))
    answer = client.chat.completions.parse(model=MODEL, messages=HI, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="Köln", degrees=7)
    assert "degrees" in str(upstream.requests[-1].body), "the schema reaches the provider in one way or another"


def test_a_stream_parsed_into_a_model(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(stream(glm_stream('{"city":"Köln","degrees":7}', piece=3)))
    with client.chat.completions.stream(model=MODEL, messages=HI, response_format=Weather) as events:
        assert events.get_final_completion().choices[0].message.parsed == Weather(city="Köln", degrees=7)


def test_a_json_object(client: OpenAI, upstream: Upstream) -> None:
    client.chat.completions.create(model=MODEL, messages=HI, response_format={"type": "json_object"})
    assert upstream.requests[-1].body["response_format"] == {"type": "json_object"}


def test_every_parameter_the_sdk_knows_is_accepted(client: OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "developer", "content": "Be brief."}, *HI],
        frequency_penalty=0.5,
        logit_bias={"1": 1},
        logprobs=True,
        max_completion_tokens=50,
        metadata={"a": "b"},
        n=1,
        presence_penalty=0.5,
        prompt_cache_key="k",
        reasoning_effort="low",
        safety_identifier="someone-1",
        seed=1,
        service_tier="auto",
        stop=["END", "HALT"],
        store=True,
        temperature=1.5,
        top_logprobs=2,
        top_p=0.9,
        user="someone-2",
        verbosity="low",
    )
    assert answer.parse().choices[0].message.content == TEXT
    dropped = answer.headers["X-Gateway-Dropped"].split(", ")
    assert {"logprobs", "top_logprobs", "logit_bias", "metadata", "seed", "store"} <= set(dropped)


# Models


def test_models(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {MODEL, VISION, "0727-360B-API"} <= set(models)
    assert models[MODEL].object == "model"
    assert models[MODEL].owned_by == "z-ai"
    assert isinstance(models[MODEL].created, int)


def test_one_model(client: OpenAI) -> None:
    assert client.models.retrieve("0727-360B-API").id == "0727-360B-API"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("no/such/model")
    assert caught.value.code == "model_not_found"


# Errors


def test_more_than_one_answer_is_refused_by_name(client: OpenAI, upstream: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HI, n=2)
    assert caught.value.param == "n"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id
    assert not upstream.requests


def test_an_unknown_model_is_not_found(client: OpenAI, upstream: Upstream) -> None:
    for streamed in (False, True):
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="glm-4.66", messages=HI, stream=streamed)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        assert "glm-4.6" in caught.value.message


def test_a_wrong_key_is_an_authentication_error(make_client: MakeClient) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        make_client(key="wrong").models.list()
    assert caught.value.code == "invalid_api_key"


def test_a_role_that_may_not_is_a_permission_error(client: OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.get("/tokens", cast_to=object)
    assert caught.value.code == "insufficient_permissions"


def test_a_wrong_path_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.images.generate(model=MODEL, prompt="x")


@pytest.mark.parametrize(
    ("code", "http", "error", "name", "asked"),
    [
        ("1214", 400, openai.BadRequestError, None, 1),
        ("1261", 400, openai.BadRequestError, "context_length_exceeded", 1),
        ("1301", 400, openai.BadRequestError, "content_filter", 1),
        ("1211", 400, openai.NotFoundError, "model_not_found", 1),
        ("1302", 429, openai.RateLimitError, "rate_limit_exceeded", 1),
        ("1113", 429, openai.RateLimitError, "insufficient_quota", 1),
        ("1000", 401, openai.InternalServerError, "upstream_unauthorized", 1),
        ("1234", 500, openai.InternalServerError, "upstream_server_error", 1),
        ("1305", 429, openai.InternalServerError, "overloaded", 1),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_providers_failure_is_the_sdks_own_error(
    client: OpenAI, upstream: Upstream, code: str, http: int, error: type[openai.APIStatusError], name: str | None,
    asked: int, streamed: bool,
) -> None:  # fmt: skip
    upstream.script(glm_error(code, http), times=None)
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=HI, stream=streamed)
    assert type(caught.value) is error
    if name is not None:
        assert caught.value.code == name
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]
    assert len(upstream.requests) == asked


@pytest.mark.parametrize(("code", "http", "status"), [("1234", 500, 502), ("1305", 429, 503)])
def test_a_failing_provider_is_a_bad_gateway_and_a_full_one_is_unavailable(
    client: OpenAI, upstream: Upstream, code: str, http: int, status: int
) -> None:
    upstream.script(glm_error(code, http), times=None)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=MODEL, messages=HI)
    assert caught.value.status_code == status


def test_a_key_that_cools_down_says_when_to_come_back(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(glm_error("1302", 429))
    for expected in ("rate_limit_exceeded", "credentials_exhausted"):
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model=MODEL, messages=HI)
        assert caught.value.code == expected
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert len(upstream.requests) == 1


def test_a_refusal_that_no_waiting_mends_is_not_retried_by_the_sdk(
    make_client: MakeClient, upstream: Upstream, gateway: Gateway
) -> None:
    client = make_client(max_retries=2)
    upstream.script(glm_error("1113", 429), times=None)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=HI)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.request.headers["x-stainless-retry-count"] == "0"
    assert len(upstream.requests) == 1


def test_a_failure_that_may_pass_is_retried_by_the_sdk(make_client: MakeClient, upstream: Upstream) -> None:
    upstream.script(empty())
    answer = make_client(max_retries=1).chat.completions.with_raw_response.create(model=MODEL, messages=HI)
    assert answer.parse().choices[0].message.content == TEXT
    assert answer.retries_taken == 1
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("tail", [[Events([error_event("1234", "boom")])], [Drop()], [Drop(reset=True)]])
def test_a_fault_in_the_middle_of_a_stream_is_an_api_error(client: OpenAI, upstream: Upstream, tail: list[Any]) -> None:
    upstream.script([Head(), Events(glm_stream("half of it")[:2]), *tail])
    chunks = client.chat.completions.create(model=MODEL, messages=HI, stream=True)
    said = (chunk.choices[0].delta.content or "" for chunk in chunks)
    assert [next(said) for _ in range(2)] == ["", "half"]
    with pytest.raises(openai.APIError) as caught:
        list(said)
    assert not isinstance(caught.value, openai.APIStatusError)
    assert caught.value.type == "server_error"
    assert len(upstream.requests) == 1


def test_a_large_body_is_refused_with_a_413(client: OpenAI, upstream: Upstream) -> None:
    messages: Any = [{"role": "user", "content": "a" * 50 * 1024 * 1024}]
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=MODEL, messages=messages)
    assert caught.value.status_code == 413
    assert caught.value.code == "request_too_large"
    assert not upstream.requests


# Headers


def test_the_request_id_is_the_sdks_own(client: OpenAI, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HI)
    assert answer._request_id
    given = client.chat.completions.create(model=MODEL, messages=HI, extra_headers={"X-Request-ID": "trace-1"})
    assert given._request_id == "trace-1"
    assert client.models.list()._request_id


def test_the_path_of_an_answer_is_told(client: OpenAI, upstream: Upstream) -> None:
    headers = client.chat.completions.with_raw_response.create(model=MODEL, messages=HI).headers
    assert headers["x-gateway-provider"] == "glm"
    assert headers["x-gateway-upstream-model"] == MODEL
    assert headers["x-gateway-attempts"] == "1"
    assert float(headers["x-gateway-overhead-ms"]) >= 0
    assert float(headers["x-gateway-cost-usd"]) > 0
