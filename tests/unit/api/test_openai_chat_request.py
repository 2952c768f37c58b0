"""What becomes of a chat request's plain fields, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.base import Inbound
from api.dialects.openai_chat_request import parse_request
from core.errors import InvalidRequest
from schemas.chat import ChatRequest, ResponseFormat, Sampling, ThinkingOptions
from schemas.openai_chat import ChatCompletionRequest, WireMessage

HI = [{"role": "user", "content": "Hi"}]


def parse(**fields: Any) -> ChatRequest:
    return parse_request(Inbound({"messages": HI, **fields}, b"", {}, "default-model", "tags"))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    return caught.value


def test_the_least_request_asks_the_default_model_for_nothing_special() -> None:
    request = parse()
    assert request.model == "default-model"
    assert not request.stream
    assert not request.include_usage
    assert request.sampling == Sampling()
    assert request.thinking == ThinkingOptions()
    assert request.tools == ()
    assert request.tool_choice is None
    assert request.response_format is None
    assert dict(request.extra) == {}


def test_the_callers_own_body_is_kept_as_it_came() -> None:
    body = {"messages": HI, "model": "m", "surprise": {"deep": [1]}, "stream": None}
    request = parse_request(Inbound(body, b"", {}, "default-model", "hide"))
    assert request.native.body is body
    assert request.native.dialect == "openai_chat"
    assert request.thinking_mode == "hide"


def test_sampling_is_taken_over() -> None:
    request = parse(
        temperature=0, top_p=1, max_tokens=7, stop=["a", "b"], seed=-3, presence_penalty=-2, frequency_penalty=2
    )
    assert request.sampling == Sampling(0, 1, 7, ("a", "b"), -3, -2, 2)


@pytest.mark.parametrize(("stop", "words"), [("END", ("END",)), ("", ()), ([], ()), (["a", ""], ("a",)), (None, ())])
def test_stop_is_a_word_or_several_and_empty_ones_are_none(stop: Any, words: tuple[str, ...]) -> None:
    assert parse(stop=stop).sampling.stop == words


def test_the_newer_name_of_a_token_limit_wins() -> None:
    assert parse(max_tokens=5, max_completion_tokens=9).sampling.max_tokens == 9


def test_a_stream_tells_its_usage_only_when_asked() -> None:
    assert parse(stream=True, stream_options={"include_usage": True}).include_usage
    assert not parse(stream=True, stream_options={"include_usage": False}).include_usage
    assert not parse(stream=True, stream_options=None).include_usage


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"thinking": {"type": "disabled"}}, ThinkingOptions(enabled=False)),
        ({"thinking": {"type": "enabled", "clear_thinking": True}}, ThinkingOptions(enabled=True, clear=True)),
        ({"thinking": False}, ThinkingOptions(enabled=False)),
        ({"enable_thinking": True}, ThinkingOptions(enabled=True)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, ThinkingOptions(enabled=False)),
        ({"chat_template_kwargs": {"enable_thinking": "no"}}, ThinkingOptions()),
        ({"enable_thinking": True, "chat_template_kwargs": {"enable_thinking": False}}, ThinkingOptions(enabled=True)),
        ({"thinking": {"type": "disabled"}, "enable_thinking": True}, ThinkingOptions(enabled=False)),
        ({"reasoning_effort": "xhigh"}, ThinkingOptions(effort="xhigh")),
    ],
)
def test_every_way_to_steer_thinking_is_understood(fields: dict[str, Any], thinking: ThinkingOptions) -> None:
    assert parse(**fields).thinking == thinking


def test_a_schema_for_the_answer_is_carried_whole() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": schema, "strict": True}}
    assert parse(response_format=wanted).response_format == ResponseFormat("json_schema", schema, "n", "d", strict=True)
    assert parse(response_format={"type": "json_object"}).response_format == ResponseFormat("json_object")


def test_what_has_no_place_of_its_own_travels_along() -> None:
    request = parse(metadata={"a": "b"}, logprobs=False, user="u", surprise=[1], nothing=None)
    assert dict(request.extra) == {"metadata": {"a": "b"}, "logprobs": False, "surprise": [1]}
    assert request.user == "u"


def test_null_is_as_good_as_absent_everywhere_but_in_messages() -> None:
    nulls = dict.fromkeys(ChatCompletionRequest.model_fields.keys() - {"messages"})
    assert parse(**nulls) == parse_request(Inbound({"messages": HI, **nulls}, b"", {}, "default-model", "tags"))
    assert parse(**nulls).sampling == Sampling()
    assert refusal(messages=None).param == "messages"


WRONG: dict[str, list[Any]] = {
    "model": [5, True, [], {}, "", "x" * 300],
    "messages": ["x", 5, {}, [], [5], [None], [[]]],
    "stream": ["yes", "true", 1, 0, 2.5, [], {}],
    "stream_options": ["x", 5, True, []],
    "max_tokens": ["5", 1.5, True, [], {}, 0, -1, 2**63],
    "max_completion_tokens": ["5", 1.5, True, [], {}, 0, -1, 2**63],
    "temperature": ["0.5", True, [], {}, -0.1, 2.1, float("nan"), float("inf"), 10**400],
    "top_p": ["0.5", True, [], {}, -0.1, 1.1, float("nan")],
    "presence_penalty": ["0.5", True, [], {}, -2.1, 2.1],
    "frequency_penalty": ["0.5", True, [], {}, -2.1, 2.1],
    "n": ["1", True, 1.5, [], {}, 0, -1, 2, 128, 10**400],
    "stop": [5, True, {}, ["a"] * 5],
    "seed": ["1", True, 1.5, [], {}, 2**63, -(2**63) - 1],
    "tools": ["x", 5, True, {}],
    "tool_choice": ["sometimes", 5, True, []],
    "parallel_tool_calls": ["true", 1, [], {}],
    "functions": ["x", 5, True, {}],
    "function_call": ["sometimes", 5, True, []],
    "response_format": ["json", 5, True, []],
    "reasoning_effort": ["huge", 5, True, [], {}],
    "thinking": ["on", 1, []],
    "enable_thinking": ["true", 1, [], {}],
    "chat_template_kwargs": ["x", 5, True, []],
    "user": [5, True, [], {}],
}


def test_there_is_a_wrong_value_for_every_field() -> None:
    assert WRONG.keys() == ChatCompletionRequest.model_fields.keys()


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(field, value, id=f"{field}-{i}") for field in WRONG for i, value in enumerate(WRONG[field])],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(field: str, value: Any) -> None:
    error = refusal(**{field: value})
    assert error.status == 400
    assert error.code in ("invalid_value", "unsupported_value")
    assert str(error.param).partition("[")[0] == field
    assert field in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{}]}, "messages[0].role"),
        ({"messages": [*HI, {"role": "robot", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"thinking": {"type": 5}}, "thinking.type"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": 5}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": 5}}},
            "response_format.json_schema.schema",
        ),
        ({"n": 2}, "n"),
    ],
)
def test_the_exact_place_of_a_mistake_is_named(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert error.param == param
    assert error.message.startswith(param)


def test_no_class_of_ours_is_named_to_a_client() -> None:
    ours = {"Wire", "ContentPart", "StreamOptions", "LegacyFunctionChoice", "ImageUrl", "instance"}
    messages = [refusal(**{field: value}).message for field, values in WRONG.items() for value in values]
    assert not [message for message in messages if any(name in message for name in ours)]


def test_a_fault_in_one_of_two_forms_tells_of_both() -> None:
    assert refusal(stop=5).message == "stop: must be a string or an array, not 5."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PART_FIELDS = st.sampled_from(["type", "text", "image_url", "refusal", "url"])
PART_TYPES = st.sampled_from(["text", "image_url", "refusal", "input_audio"])
PARTS = st.lists(st.dictionaries(PART_FIELDS, PART_TYPES | JSON, max_size=4), max_size=3)
FUNCTIONS = st.fixed_dictionaries({"name": st.sampled_from(["f", "g", ""]) | JSON}, optional={"arguments": JSON})
TOOLS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={"type": st.sampled_from(["function", "custom"]) | JSON, "function": FUNCTIONS, "custom": FUNCTIONS},
    ),
    max_size=2,
)
CHOICES = st.fixed_dictionaries(
    {"type": st.sampled_from(["function", "custom", "allowed_tools"])},
    optional={
        "function": FUNCTIONS,
        "custom": FUNCTIONS,
        "allowed_tools": st.fixed_dictionaries({}, optional={"mode": st.just("auto") | JSON, "tools": TOOLS | JSON}),
    },
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "function"])
MESSAGES = st.lists(
    st.dictionaries(st.sampled_from(sorted(WireMessage.model_fields)), JSON | PARTS | TOOLS, max_size=4).flatmap(
        lambda message: (ROLES | JSON).map(lambda role: {**message, "role": role})
    ),
    max_size=3,
)
FIELDS = st.sampled_from(sorted(ChatCompletionRequest.model_fields)) | st.text(max_size=5)
BODIES = st.dictionaries(FIELDS, JSON | TOOLS, max_size=5).flatmap(
    lambda body: st.fixed_dictionaries(
        {}, optional={"messages": MESSAGES, "tools": TOOLS, "tool_choice": CHOICES | JSON}
    ).map(lambda more: {**body, **more})
)


@given(BODIES)
def test_any_json_object_is_a_request_or_is_refused(body: dict[str, Any]) -> None:
    try:
        outcome: ChatRequest | InvalidRequest = parse_request(Inbound(body, b"", {}, "m", "tags"))
    except InvalidRequest as error:
        outcome = error
    if isinstance(outcome, InvalidRequest):
        assert (outcome.status, bool(outcome.param)) == (400, True)
    else:
        assert len(outcome.messages) == len(body["messages"])
