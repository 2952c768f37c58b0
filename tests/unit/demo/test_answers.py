"""The simulated model says what a person trying the gateway expects."""

from typing import Any

import pytest

from demo.answers import answer
from demo.prompt import from_platform, from_web
from schemas.codec import loads

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}


def said(text: Any, **fields: Any) -> Any:
    return answer(from_platform({"model": "glm-4.6", "messages": [{"role": "user", "content": text}], **fields}))


def test_the_answer_says_that_a_simulator_speaks_and_repeats_the_question() -> None:
    reply = said("What is 2+2?")
    assert "simulator" in reply.text
    assert "What is 2+2?" in reply.text
    assert reply.finish_reason == "stop"


def test_chinese_is_answered_in_chinese() -> None:
    assert said("今天天气怎么样").text.startswith("你好！我是内置的 GLM 模拟器")


def test_a_long_question_is_repeated_in_part() -> None:
    assert len(said("x" * 10_000).text) < 1_000


@pytest.mark.parametrize("fields", [{"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}])
def test_thinking_can_be_switched_off(fields: dict[str, Any]) -> None:
    assert said("Hi").reasoning
    assert not said("Hi", **fields).reasoning


def test_a_model_that_always_thinks_does_so_even_when_told_not_to() -> None:
    assert said("Hi", model="glm-5.3", thinking={"type": "disabled"}).reasoning


def test_only_the_first_stop_word_ends_the_answer() -> None:
    assert said("Hi", stop=["simulator", "Hello"]).text == "Hello! This is the bundled GLM "


@pytest.mark.parametrize("limit", [1, 5, 25, 30])
def test_max_tokens_bounds_thinking_plus_text(limit: int) -> None:
    reply = said("Hi", max_tokens=limit)
    assert reply.tokens == limit
    assert reply.finish_reason == "length"


def test_an_answer_within_max_tokens_is_whole() -> None:
    assert said("Hi", max_tokens=10_000) == said("Hi")


def test_a_number_of_words_can_be_asked_for() -> None:
    assert len(said("simulate 500 words").text.split()) == 500


def test_images_are_acknowledged() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert "you sent 2 images" in said([{"type": "text", "text": "Look"}, image, image]).text


def test_a_tool_that_is_meant_is_called_with_what_was_said() -> None:
    reply = said("What's the weather in New York?", tools=[CLOCK, WEATHER])
    assert [(call.name, loads(call.arguments)) for call in reply.calls] == [("get_weather", {"city": "New York"})]
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


def test_all_tools_that_are_named_are_called() -> None:
    reply = said("use get_weather and clock", tools=[WEATHER, CLOCK])
    assert [call.name for call in reply.calls] == ["get_weather", "clock"]


def test_no_tool_is_called_when_none_is_meant() -> None:
    assert said("Hello there", tools=[WEATHER]).calls == ()


def test_a_system_message_at_the_end_can_order_a_call() -> None:
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": "You must answer by calling one of the tools."},
    ]
    prompt = from_platform({"model": "glm-4.6", "messages": messages, "tools": [WEATHER]})
    assert [call.name for call in answer(prompt).calls] == ["get_weather"]


def test_the_result_of_a_tool_is_used_and_no_tool_is_called_again() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "use get_weather"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny, 21 degrees"},
    ]
    reply = answer(from_platform({"model": "glm-4.6", "messages": messages, "tools": [WEATHER]}))
    assert "The tool get_weather answered: “sunny, 21 degrees”." in reply.text
    assert reply.calls == ()


def test_json_mode_gives_an_object() -> None:
    assert loads(said("Hi", response_format={"type": "json_object"}).text)["simulator"] is True


def test_json_follows_a_schema_that_stands_in_the_prompt() -> None:
    schema = '{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"}}}'
    messages = [
        {"role": "user", "content": 'The person is "Ada", aged 36'},
        {"role": "system", "content": f"Answer with JSON that fits this schema: {schema}"},
    ]
    prompt = from_platform({"model": "glm-4.6", "messages": messages, "response_format": {"type": "json_object"}})
    assert loads(answer(prompt).text) == {"name": "Ada", "age": 36}


def test_the_web_form_takes_its_switches_from_features_and_params() -> None:
    body = {"model": "glm-5", "messages": [{"role": "user", "content": "Hi"}]}
    body |= {"features": {"enable_thinking": False}, "params": {"max_tokens": 3}}
    reply = answer(from_web(body))
    assert (reply.reasoning, reply.text, reply.finish_reason) == ("", "Hello! This", "length")
