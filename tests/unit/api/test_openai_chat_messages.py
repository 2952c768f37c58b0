"""What becomes of the messages of a chat request."""

from typing import Any

import pytest

from api.dialects.base import Inbound
from api.dialects.openai_chat_request import parse_request
from core.errors import InvalidRequest
from schemas.chat import ImagePart, Message, OpaquePart, TextPart, ToolCall


def parse(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return parse_request(Inbound({"messages": list(messages)}, b"", {}, "m", "tags")).messages


def one(role: str, **fields: Any) -> Message:
    return parse({"role": role, **fields})[0]


def refusal(role: str, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        one(role, **fields)
    return caught.value


@pytest.mark.parametrize(
    ("role", "ours"), [("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant")]
)
def test_roles_are_mapped(role: str, ours: str) -> None:
    assert one(role, content="x", name="n") == Message(ours, (TextPart("x"),), name="n")  # type: ignore[arg-type]


def test_order_is_kept() -> None:
    roles = ["system", "user", "assistant", "user"]
    assert [message.role for message in parse(*({"role": role, "content": "x"} for role in roles))] == roles


def test_parts_are_text_images_and_what_we_do_not_look_into() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}
    content = [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "low"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
        audio,
    ]
    message = one("user", content=content)
    assert message.parts == (
        TextPart("a", {"type": "ephemeral"}),
        ImagePart("https://x/i.png", "low"),
        ImagePart("data:image/png;base64,AA=="),
        OpaquePart("input_audio", audio),
    )
    assert isinstance(message.parts[3], OpaquePart)
    assert message.parts[3].body is audio, "as it came, unknown fields and all"


def test_the_calls_of_an_assistant_and_their_results_are_kept() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    asked, answered = parse(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    )
    assert asked == Message("assistant", (), (ToolCall("call_1", "f", '{"a": 1}'),))
    assert answered == Message("tool", (TextPart("42"),), tool_call_id="call_1")


@pytest.mark.parametrize(
    ("arguments", "text"), [('{"a": 1}', '{"a": 1}'), ({"a": 1}, '{"a":1}'), (None, "{}"), ("", "{}")]
)
def test_arguments_are_text_however_they_were_sent(arguments: Any, text: str) -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": arguments}}
    assert one("assistant", tool_calls=[call]).tool_calls[0].arguments == text


def test_a_custom_call_becomes_one_with_its_input_as_argument() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "f", "input": 'say "hi"'}}
    assert one("assistant", tool_calls=[call]).tool_calls == (ToolCall("c", "f", '{"input":"say \\"hi\\""}'),)


def test_a_function_of_old_and_its_result_find_each_other() -> None:
    asked, answered = parse(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    )
    assert asked.tool_calls[0].id == answered.tool_call_id
    assert answered.role == "tool"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_the_thinking_of_an_earlier_answer_is_kept(field: str) -> None:
    assert one("assistant", content="x", **{field: "hm"}).reasoning == "hm"


def test_a_refusal_of_an_earlier_answer_is_its_text() -> None:
    assert one("assistant", content=None, refusal="no").text == "no"
    assert one("assistant", content=[{"type": "refusal", "refusal": "no"}]).text == "no"


def test_an_empty_text_is_no_part() -> None:
    assert one("user", content="").parts == ()


def test_unknown_fields_of_a_message_do_no_harm() -> None:
    assert one("user", content="x", cache_control={"type": "ephemeral"}, thinking=5).text == "x"


@pytest.mark.parametrize("role", ["system", "developer", "user", "function"])
def test_only_an_assistant_may_say_nothing(role: str) -> None:
    for fields in ({}, {"content": None}):
        error = refusal(role, **fields)
        assert (error.param, error.code) == ("messages[0].content", "missing_required_parameter")


@pytest.mark.parametrize(
    ("role", "fields", "param"),
    [
        ("tool", {"content": "x"}, "messages[0].tool_call_id"),
        ("tool", {"content": "x", "tool_call_id": ""}, "messages[0].tool_call_id"),
        ("function", {"content": "x"}, "messages[0].name"),
        ("user", {"content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ("user", {"content": [{"type": "image_url"}]}, "messages[0].content[0].image_url"),
        ("user", {"content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url.url"),
        ("assistant", {"tool_calls": [{"id": "a"}]}, "messages[0].tool_calls[0].function"),
        ("assistant", {"tool_calls": [{"id": "a", "function": {}}]}, "messages[0].tool_calls[0].function.name"),
        ("assistant", {"function_call": {}}, "messages[0].function_call.name"),
    ],
)
def test_what_is_missing_is_named(role: str, fields: dict[str, Any], param: str) -> None:
    error = refusal(role, **fields)
    assert (error.param, error.code) == (param, "missing_required_parameter")


@pytest.mark.parametrize("url", ["ftp://x/i.png", "file:///etc/passwd", "javascript:x", "x", ""])
def test_an_image_has_an_address_that_can_be_fetched(url: str) -> None:
    for image in ({"url": url}, url):
        error = refusal("user", content=[{"type": "image_url", "image_url": image}])
        assert error.param == "messages[0].content[0].image_url.url"
