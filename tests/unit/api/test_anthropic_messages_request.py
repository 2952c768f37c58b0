"""What becomes of a request's plain fields, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.anthropic_messages import AnthropicMessages
from api.dialects.base import Inbound
from core.errors import InvalidRequest
from schemas.anthropic import CountTokensRequest, MessagesRequest
from schemas.chat import ChatRequest, ResponseFormat, Sampling, ThinkingOptions
from schemas.codec import dumps
from tests.unit.api.anthropic_messages_kit import HI, parse


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    return caught.value


def test_the_least_request_asks_for_nothing_special() -> None:
    request = parse()
    assert request == ChatRequest(
        model='glm-"4.6"',
        messages=request.messages,
        native=request.native,
        thinking_mode="blocks",
        sampling=Sampling(max_tokens=100),
    )


def test_the_callers_own_request_is_kept_as_it_came() -> None:
    body = {"model": "m", "max_tokens": 1, "messages": HI, "surprise": {"deep": [1]}}
    headers = {"anthropic-beta": "a,b"}
    native = AnthropicMessages().parse(Inbound(body, b"raw", headers, "default", "hide")).native
    assert (native.dialect, native.raw, native.headers) == ("anthropic_messages", b"raw", headers)
    assert native.body is body


def test_without_a_model_the_default_one_is_asked() -> None:
    assert parse(model=None).model == "default-model"


def test_a_request_without_a_bound_is_refused_by_the_fields_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        AnthropicMessages().parse(Inbound({"model": "m", "messages": HI}, b"", {}, "m", "tags"))
    assert (caught.value.param, caught.value.message) == ("max_tokens", "max_tokens is missing.")
    assert refusal(max_tokens=None).param == "max_tokens"


def test_tokens_are_counted_without_a_bound() -> None:
    inbound = Inbound({"model": "m", "messages": HI, "system": "Be brief."}, b"", {}, "m", "tags")
    request = AnthropicMessages().parse_count(inbound)
    assert request.sampling.max_tokens is None
    assert [message.text for message in request.messages] == ["Be brief.", "Hi"]


def test_sampling_is_taken_over() -> None:
    request = parse(temperature=1, top_p=0.5, top_k=40, max_tokens=7, stop_sequences=["a", "", "b"], stream=True)
    assert request.sampling == Sampling(temperature=1, top_p=0.5, max_tokens=7, stop=("a", "b"), top_k=40)
    assert request.stream


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({}, ThinkingOptions()),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, ThinkingOptions(enabled=True, budget=2048)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, ThinkingOptions(enabled=True)),
        ({"thinking": {"type": "between_tools"}}, ThinkingOptions(enabled=True)),
        ({"thinking": {"type": "disabled"}}, ThinkingOptions(enabled=False)),
        ({"output_config": {"effort": "xhigh"}}, ThinkingOptions(effort="xhigh")),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
            ThinkingOptions(enabled=True, effort="medium"),
        ),
    ],
)
def test_every_way_to_steer_thinking_is_understood(fields: dict[str, Any], thinking: ThinkingOptions) -> None:
    assert parse(**fields).thinking == thinking


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_schema_for_the_answer_is_carried_from_either_place(place: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    request = parse(**{place: {"format": wanted} if place == "output_config" else wanted})
    assert request.response_format == ResponseFormat("json_schema", {"type": "object"})
    assert request.extra == {}


def test_who_asks_is_the_user() -> None:
    assert parse(metadata={"user_id": '{"device_id":"d"}'}).user == '{"device_id":"d"}'
    assert parse(metadata={}).user is None


def test_what_has_no_place_of_its_own_travels_under_its_own_name() -> None:
    fields = {
        "container": "c",
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "mcp_servers": [{"name": "s"}],
        "service_tier": "priority",
        "speed": "fast",
        "inference_geo": "us",
        "diagnostics": {"previous_message_id": None},
        "fallbacks": [{"model": "m"}],
        "output_config": {"task_budget": {"total": 5}},
    }
    assert parse(**fields).extra == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto", "speed": "standard", "inference_geo": "global"},
        {"container": None, "mcp_servers": [], "context_management": {}, "fallbacks": []},
        {"metadata": {"user_id": "u"}, "cache_control": {"type": "ephemeral"}, "output_config": {"effort": "low"}},
    ],
)
def test_values_that_ask_for_nothing_are_not_mentioned(fields: dict[str, Any]) -> None:
    assert parse(**fields).extra == {}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [*HI, *HI, {"role": "user", "content": [{"text": "x"}]}]}, "messages[2].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "messages[0].content[0]"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"stream": "yes"}, "stream"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": ["x"] * 129}, "stop_sequences"),
        ({"model": "m" * 257}, "model"),
        ({"system": 5}, "system"),
        ({"system": [{"type": "text", "text": 5}]}, "system[0].text"),
        ({"thinking": {"budget_tokens": 5}}, "thinking.type"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.status, error.param) == (400, param)
    assert error.message.startswith(param)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "type", "text", "source", "content", "id", "name", "input", "tool_use_id", "is_error", "thinking", "signature",
        "data", "url", "media_type", "title", "context", "cache_control",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "text", "image", "document", "search_result", "tool_use", "tool_result", "thinking", "redacted_thinking",
        "server_tool_use", "base64", "url", "content", "file", "t1", "t2", "https://x/", "",
    ]
)  # fmt: skip
BLOCKS = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner | WORDS, max_size=5),
    max_leaves=25,
)
ROLES = st.sampled_from(["user", "assistant", "system", "tool"])
TURNS = st.lists(st.fixed_dictionaries({"role": ROLES, "content": BLOCKS}) | JSON, max_size=6)


def parsed_or_refused(body: dict[str, Any]) -> ChatRequest | InvalidRequest:
    try:
        return AnthropicMessages().parse(Inbound(body, dumps(body), {}, "m", "tags"))
    except InvalidRequest as error:
        return error


@given(st.dictionaries(st.sampled_from([*MessagesRequest.model_fields, "container"]), JSON | BLOCKS, max_size=6), TURNS)
def test_whatever_comes_is_taken_or_refused_by_name(fields: dict[str, Any], turns: list[Any]) -> None:
    body = {"max_tokens": 5, "messages": turns, **fields}
    outcome = parsed_or_refused(body)
    if isinstance(outcome, InvalidRequest):
        assert outcome.param
    else:
        assert outcome.native.raw == (b"" if outcome.repairs else dumps(body))


def test_counting_looks_into_the_same_fields() -> None:
    assert MessagesRequest.model_fields.keys() == CountTokensRequest.model_fields.keys()
