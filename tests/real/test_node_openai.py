"""OpenAI's SDK for Node against the running gateway, in front of providers of three forms."""

from typing import Any

import pytest

from tests.gateway import Gateway
from tests.real.kit import CALL, GLM_VENDOR, OPENAI_VENDOR, TEXT, THINKING, VENDORS, Vendor, ask_node
from tests.upstreams.answers import error_event, glm_error, glm_stream
from tests.upstreams.openai_answers import embeddings_body, openai_error
from tests.upstreams.server import Upstream
from tests.upstreams.steps import Drop, Events, Head, Hold, Step, whole

USAGE = (9, 12, 21)


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each provider."""
    found: Vendor = request.param
    return found


def counted(usage: dict[str, Any]) -> tuple[int, int, int]:
    """The three counts of a usage; the prompt's cached tokens are asserted on the way."""
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    return usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]


def test_a_whole_answer(gateway: Gateway, upstream: Upstream, vendor: Vendor) -> None:
    vendor.says(upstream, TEXT, THINKING)
    answer = ask_node("openai", "whole", gateway.url, model=vendor.model)
    message = answer["choices"][0]["message"]
    assert (message["role"], message["content"], answer["model"]) == ("assistant", TEXT, vendor.model)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert counted(answer["usage"]) == USAGE


def test_a_streamed_answer(gateway: Gateway, upstream: Upstream, vendor: Vendor) -> None:
    vendor.says(upstream, TEXT, THINKING)
    *chunks, last = ask_node("openai", "stream", gateway.url, model=vendor.model)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == TEXT
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert {chunk["id"] for chunk in chunks} == {last["id"]}
    assert {chunk["model"] for chunk in chunks} == {vendor.model}
    assert last["choices"] == []
    assert counted(last["usage"]) == USAGE


def test_a_stream_that_the_sdk_gathers_itself(gateway: Gateway, upstream: Upstream, vendor: Vendor) -> None:
    vendor.says(upstream, TEXT, "", [CALL])
    choice = ask_node("openai", "gathered", gateway.url, model=vendor.model)["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["message"]["content"] == TEXT
    assert choice["finish_reason"] == "tool_calls"
    assert (call["id"], call["function"]["name"]) == CALL[:2]
    assert call["function"]["arguments"].replace(" ", "") == CALL[2]


@pytest.mark.parametrize("stream", [False, True])
def test_tools_that_the_sdk_runs(gateway: Gateway, upstream: Upstream, vendor: Vendor, stream: bool) -> None:
    vendor.says(upstream, "", THINKING, [CALL])
    vendor.says(upstream, "Take a hat.")
    done = ask_node("openai", "tools", gateway.url, model=vendor.model, stream=stream)
    assert done == {"answer": "Take a hat.", "asked": ["Köln"]}
    assert "Sunny in Köln." in upstream.requests[-1].raw_body.decode()
    assert upstream.pending_scripts == 0


def test_thinking_in_a_field_of_its_own(gateway: Gateway, upstream: Upstream, vendor: Vendor) -> None:
    vendor.says(upstream, TEXT, THINKING)
    vendor.says(upstream, TEXT, THINKING)
    told = ask_node("openai", "thinking", gateway.url, model=vendor.model)
    assert told == {"whole": THINKING, "streamed": THINKING}


def test_models_are_listed_and_found(gateway: Gateway) -> None:
    listed = ask_node("openai", "models", gateway.url, model=GLM_VENDOR.model)
    assert {vendor.model for vendor in VENDORS} <= set(listed["ids"])
    assert listed["one"]["id"] == GLM_VENDOR.model
    assert listed["one"]["object"] == "model"


def test_embeddings(gateway: Gateway, upstream: Upstream) -> None:
    vectors = ((0.5, -0.25), (1.0, 0.125))
    upstream.script(whole(embeddings_body(vectors)))
    answer = ask_node("openai", "embeddings", gateway.url, model="text-embedding-3-small", version="v1")
    assert [tuple(row["embedding"]) for row in answer["data"]] == list(vectors)
    assert answer["usage"]["prompt_tokens"] == 3
    assert upstream.requests[-1].body["input"] == ["one", "two"]


@pytest.mark.parametrize(
    ("options", "raised", "status", "code"),
    [
        ({"model": "no-such-model"}, "NotFoundError", 404, "model_not_found"),
        ({"model": GLM_VENDOR.model, "key": "wrong"}, "AuthenticationError", 401, "invalid_api_key"),
    ],
)
def test_a_refusal_of_the_gateway_is_the_sdks_own_error(
    gateway: Gateway, options: dict[str, str], raised: str, status: int, code: str
) -> None:
    error = ask_node("openai", "whole", gateway.url, **options)
    assert (error["raised"], error["status"], error["code"]) == (raised, status, code)
    assert error["requestID"]


@pytest.mark.parametrize(
    ("vendor", "failure", "raised", "status", "code"),
    [
        (GLM_VENDOR, glm_error("1302", 429), "RateLimitError", 429, "rate_limit_exceeded"),
        (GLM_VENDOR, glm_error("1261", 400), "BadRequestError", 400, "context_length_exceeded"),
        (OPENAI_VENDOR, openai_error(503), "InternalServerError", 503, None),
    ],
    ids=["glm-429", "glm-400", "openai-503"],
)
def test_a_failure_of_a_provider_is_the_sdks_own_error(
    fresh: Gateway, upstream: Upstream, vendor: Vendor, failure: list[Step], raised: str, status: int, code: str | None
) -> None:
    upstream.script(failure)
    error = ask_node("openai", "whole", fresh.url, model=vendor.model)
    assert (error["raised"], error["status"]) == (raised, status)
    assert code in (None, error["code"])
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("fault", [[Events([error_event("1234", "boom")])], [Drop()]], ids=["event", "drop"])
def test_a_fault_in_the_middle_of_a_stream_is_an_api_error(
    gateway: Gateway, upstream: Upstream, fault: list[Step]
) -> None:
    upstream.script([Head(), Events(glm_stream("half of it")[:2]), *fault])
    error = ask_node("openai", "stream", gateway.url, model=GLM_VENDOR.model)
    assert error["raised"] == "APIError"
    assert error["type"] == "server_error"


def test_a_failure_that_may_pass_is_tried_again_by_the_sdk(fresh: Gateway, upstream: Upstream) -> None:
    upstream.script(glm_error("1234", 500))
    GLM_VENDOR.says(upstream, TEXT)
    answer = ask_node("openai", "whole", fresh.url, model=GLM_VENDOR.model, retries=1)
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert len(upstream.requests) == 2


def test_a_client_that_leaves_in_the_middle_ends_the_providers_stream(gateway: Gateway, upstream: Upstream) -> None:
    upstream.script([Head(), Events(glm_stream("half of it")[:2]), Hold()])
    ask_node("openai", "hangup", gateway.url, model=GLM_VENDOR.model)
    assert upstream.wait_closed()
    assert upstream.requests[-1].disconnected.is_set()
